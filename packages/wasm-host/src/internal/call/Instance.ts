/**
 * A running instance as its callers see it, wherever it lives: in this thread (`GuestInstance`) or on another one
 * (`RemoteGuest`). It belongs to the scope that it was loaded in, and may die before.
 */
import type * as Context from "effect/Context"
import type * as GuestError from "../../GuestError.ts"
import type { DirectOutcome } from "../guest/DirectCall.ts"
import type { GuestCodec } from "../guest/GuestCodec.ts"
import type { HostCalls } from "../host/HostCalls.ts"
import type { Call } from "./Call.ts"
import type { Usage } from "./Usage.ts"

/** What a guest has in hand, and what it has used so far. */
export interface Stats {
  /** Calls whose callers wait. */
  readonly calls: number
  readonly hostCalls: number
  /** Futures of the guest that will never be answered: a host function ended without an answer, and had no Err for that. */
  readonly abandoned: number
  /** AsyncValues that wait for older calls to settle before they are freed. */
  readonly heldAsyncValues: number
  /** Bytes of linear memory. It never shrinks, so this is its high-water mark, too. */
  readonly memory: number
  readonly alive: boolean
  readonly used: Used
}

/** What an instance has used since it was made. */
export interface Used {
  /** Times that the guest was entered: once for each call, and once for each answer that an import waited for. */
  readonly entries: number
  /** Host functions that it has called. */
  readonly hostCalls: number
  /** Milliseconds on the stack for calls that are measured: those with a deadline, and all under `GuestTelemetry`. */
  readonly inside: number
}

export const noStats: Stats = {
  calls: 0,
  hostCalls: 0,
  abandoned: 0,
  heldAsyncValues: 0,
  memory: 0,
  alive: false,
  used: { entries: 0, hostCalls: 0, inside: 0 }
}

export interface Instance {
  /** Functions of the contract that the module leaves out. */
  readonly missing: ReadonlyArray<string>
  readonly inCallingThread: boolean
  /** Why it takes no more calls. */
  readonly dead: GuestError.Reason | undefined
  /** `listener` is told why it died, once, when those that it had in hand have been told; now if it has died already. */
  readonly onDeath: (listener: (reason: GuestError.Reason) => void) => void
  /** The sync host function that a caller with this context runs in, if the instance cannot run before that has ended. */
  readonly blockedBy: (context: Context.Context<never>) => string | undefined
  /**
   * Takes the call, which is told so: enters the guest for it, now or when its turn comes. It may have been told its
   * answer on return.
   */
  readonly enter: (call: Call) => void
  /** Calls a sync function on this stack, if it can, for a caller of the executor that has no limit. Only where `inCallingThread`. */
  readonly callDirectly: (
    index: number,
    codec: GuestCodec,
    payload: unknown,
    context: Context.Context<never>
  ) => DirectOutcome
  readonly stats: () => Stats
  /**
   * The entry that holds its thread up for nobody: what names an entry on the stack, of any guest there, whose caller does not wait.
   * It has another name once a sync host function that held it up was answered before that had ended.
   * Undefined when there is none; always in the calling thread, where nobody could look meanwhile.
   */
  readonly strayEntry: () => string | undefined
  /** Asks its thread to say when it has come to all that it was sent before. */
  readonly receipt: () => Receipt
  /** Ends its thread, with all guests there. `why` is what their calls fail with. Whether it was not ending yet. */
  readonly terminate: (why: string) => boolean
}

/** Whether what was asked for has been said. */
export interface Receipt {
  readonly isThere: boolean
}

/** A call in the hands of an instance. */
export interface Entered {
  /** Whether the guest has been entered for it: if not, another instance can still take it. */
  readonly hasBegun: boolean
  readonly hostCalls: Pick<HostCalls, "size" | "members">
  /** Of a measured call. */
  readonly usage: Usage | undefined
  /** Its caller has left: its host functions are interrupted, and a late answer is dropped. */
  readonly abandon: () => void
}
