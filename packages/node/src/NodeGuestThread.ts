/**
 * Guests on threads of Node.js: `NodeGuestThread.layer({ threads: 2 })` in the place of `GuestExecutor.layer()`.
 */
import * as Foreign from "@fiberhost/core/Foreign"
import * as Thread from "@fiberhost/core/Thread"
import type * as GuestExecutor from "@fiberhost/wasm-host/GuestExecutor"
import * as GuestThread from "@fiberhost/wasm-host/GuestThread"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeThreads from "./NodeThreads.ts"

/** `program`: the runner, for a bundle that has its own copy of it. Default: `@fiberhost/node/NodeGuestRunner`. */
export type Options = Omit<GuestThread.Options, "program"> & NodeThreads.Options & { readonly program?: URL }

/** Guests live on threads that the calling thread owns. Fails when a thread cannot begin. */
export const layer = (options: Options = {}): Layer.Layer<GuestExecutor.GuestExecutor, Thread.ThreadError> =>
  Effect.map(options.program === undefined ? runner : Effect.succeed(options.program), (program) =>
    GuestThread.layer({ ...options, program })
  ).pipe(Layer.unwrap, Layer.provide(NodeThreads.layer(options)))

const runner = Effect.try({
  try: () => new URL(import.meta.resolve("@fiberhost/node/NodeGuestRunner")),
  catch: (error) =>
    new Thread.ThreadError({
      thread: "a thread of guests",
      reason: new Thread.StartFailed({
        detail: `${Foreign.textOf(error)}. In a bundle, name its program: NodeGuestThread.Options.program`
      })
    })
})
