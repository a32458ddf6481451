/** A guest as a plugin's functions reach it: by the index of the function, with values of its contract. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { DirectOutcome } from "../guest/DirectCall.ts"
import type { Stats } from "./Instance.ts"

export interface PluginGuest {
  /** Functions of the contract that the module leaves out. */
  readonly missing: ReadonlyArray<string>
  /**
   * Calls the function of this index of the contract. Payload, success and failure are the contract's: they are checked by
   * its codecs, so nothing more is known of them here. Everything else fails with a `GuestError`.
   */
  readonly call: (index: number, payload: unknown) => Effect.Effect<unknown, unknown>
  /** As `call`, on this stack, if that can be, for a caller who has no deadline. */
  readonly callDirectly: (index: number, payload: unknown, context: Context.Context<never>) => DirectOutcome
  /** Whether it lives in the calling thread, so that a call may be answered before it returns. */
  readonly inCallingThread: boolean
  /** Calls that it has in hand, or infinitely many when it is dead: what balances calls over several guests. */
  readonly busy: number
  readonly stats: Stats
}
