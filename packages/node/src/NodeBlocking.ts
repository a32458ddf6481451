/**
 * A pool's functions for synchronous code, which blocks its thread until another has answered: a synchronous callback of a
 * library, a loader of configuration, another thread's code without Effect.
 *
 * ```ts
 * const handle = yield* NodeBlocking.handle(Hashing)            // an Effect of who has the pool
 * new Worker(url, { workerData: { hashing: handle } })
 *
 * using hashing = NodeBlocking.open(Hashing, workerData.hashing) // in that thread: no Effect, no event loop
 * const digest = hashing.sha256.runOrThrow({ bytes })
 * ```
 */
import * as Blocking from "@fiberhost/core/Blocking"
import type * as HostPool from "@fiberhost/core/HostPool"
import type * as Thread from "@fiberhost/core/Thread"
import type * as Effect from "effect/Effect"
import type * as Rpc from "effect/rpc/Rpc"
import type * as Scope from "effect/Scope"
import { channels } from "./internal/Channels.ts"

/**
 * A handle of the pool: a value for `workerData`, `postMessage`, or for synchronous code in this thread. One caller
 * opens it, once; it ends with the scope. Complete once each thread of the pool listens, so not while one computes. The
 * pool may run in this thread (`layer`) or over threads (`NodeHostPool.layer`). Synchronous code of this thread needs
 * the latter: what would wait for itself is refused with `WouldDeadlock`. A caller's thread that is terminated cannot
 * say so: what it has in the pool runs, and keeps its room, until the scope ends. So let the scope end with the thread.
 */
export const handle = <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>
): Effect.Effect<Blocking.Handle<Self>, Thread.ThreadError, Scope.Scope | Self> => Blocking.handle(contract, channels)

/** Opens a handle in the calling thread, whoever started that. Throws a `BlockingError` (`HandleRefused`) when that cannot be. */
export const open = <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  handle: Blocking.Handle<Self>
): Blocking.Opened<R> => Blocking.open(contract, handle, channels)
