/**
 * Worker side of `NodeHostPool`: what a thread's program is.
 */
import { parentPort, workerData } from "node:worker_threads"
import type * as HostPool from "@fiberhost/core/HostPool"
import * as HostRunner from "@fiberhost/core/HostRunner"
import type * as Wire from "@fiberhost/core/Wire"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import { portOf } from "./NodeThreads.ts"

/**
 * Serves a pool's handlers from this thread, until the pool closes it. The last thing that a thread's program does:
 * `NodeHostRunner.run(Hashing, Hashing.toLayer({ sha256: ({ bytes }) => Effect.sync(() => ..) }))`.
 * Throws when the module is run by anything else than that pool.
 */
export const run = <Self, R extends Rpc.Any, Init, E>(
  contract: HostPool.Any<Self, R, Init>,
  handlers: Layer.Layer<HostPool.Handlers<Self>, E, HostPool.Initial<Self>>
): void => {
  const port = parentPort === null ? noPort : portOf(parentPort)
  Effect.runFork(HostRunner.run(contract, handlers, port, workerData)).addObserver((exit) => {
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    parentPort?.close()
    // What the handlers left behind (a timer, a socket) does not hold up the thread's end for long.
    setTimeout(() => process.exit(), 100).unref()
  })
}

/** In the main thread: what a runner is refused for before it uses the port. */
const noPort: Wire.Port = { post: () => {}, listen: () => {} }
