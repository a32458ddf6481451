/**
 * Worker side of `NodeHostPool`: what a thread's program is.
 *
 * A handler runs in its caller's span, but with the tracer of this thread: give the handlers' layer one that exports, and
 * the spans that they make join their callers' traces.
 */
import type * as HostPool from "@fiberhost/core/HostPool"
import * as HostRunner from "@fiberhost/core/HostRunner"
import type * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import * as NodeRunner from "./internal/NodeRunner.ts"

/**
 * Serves a pool's handlers from this thread, until the pool closes it. The last thing that a thread's program does:
 * `NodeHostRunner.run(Hashing, Hashing.toLayer({ sha256: ({ bytes }) => Effect.sync(() => ..) }))`.
 * Throws when the module is run by anything else than that pool.
 */
export const run = <Self, R extends Rpc.Any, Init, E>(
  contract: HostPool.Any<Self, R, Init>,
  handlers: Layer.Layer<HostPool.Handlers<Self>, E, HostPool.Initial<Self>>
): void => NodeRunner.run((port, start, channels) => HostRunner.run(contract, handlers, port, start, channels))
