/**
 * What stands behind a pool: runs its functions, by their index in the contract: in the calling thread, or over threads. Payloads
 * and answers are the contract's; they are checked by its codecs on the way.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as HostFunction from "../../HostFunction.ts"
import type * as Thread from "../../Thread.ts"
import type { Channels } from "../blocking/Channels.ts"

/** What a call finds that there is no room for: it waits, or fails with `NoRoom`. */
export type WhenFull = "suspend" | "fail"

/** For callers without Effect. */
export interface CallOptions {
  /** Interrupts the call; its promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** As `HostPool.pinned`. */
  readonly key?: unknown
  /** Fail with `NoRoom` instead of waiting for room. Default: false. */
  readonly try?: boolean
}

/** Calls that wait for a thread and that are on one, threads that are ready, and threads that were lost so far. */
export interface Stats {
  readonly waiting: number
  readonly active: number
  readonly threads: number
  readonly lost: number
}

/** A caller on another thread, let in. */
export interface Admission {
  readonly name: string
  readonly bell: SharedArrayBuffer
  readonly board: SharedArrayBuffer
  readonly waits: SharedArrayBuffer
  /** Calls that a thread may have at once. */
  readonly concurrency: number
}

export interface PoolBackend {
  readonly call: (index: number, payload: unknown, whenFull: WhenFull) => Effect.Effect<unknown, unknown>
  readonly stream: (index: number, payload: unknown, whenFull: WhenFull) => Stream.Stream<unknown, unknown>
  readonly bytes: (index: number) => HostFunction.Bytes
  readonly promise: (index: number, payload: unknown, options: CallOptions | undefined) => Promise<unknown>
  readonly iterate: (index: number, payload: unknown, options: CallOptions | undefined) => AsyncIterable<unknown>
  /**
   * What a handle needs to reach the functions, while the scope lasts; complete once every thread listens. `channels`
   * are the calling thread's.
   */
  readonly admit: (channels: Channels) => Effect.Effect<Admission, Thread.ThreadError, Scope.Scope>
  readonly drain: Effect.Effect<void>
  readonly stats: () => Stats
}

/** See `HostPool.PinnedTo`. */
export const PinnedTo: Context.Reference<unknown> = Context.Reference("@fiberhost/core/HostPool/PinnedTo", {
  defaultValue: (): unknown => undefined
})
