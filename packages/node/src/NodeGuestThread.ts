/**
 * Guests on threads of Node.js: `NodeGuestThread.layer({ threads: 2 })` in the place of `GuestExecutor.layer()`.
 */
import type * as Thread from "@fiberhost/core/Thread"
import type * as GuestExecutor from "@fiberhost/wasm-host/GuestExecutor"
import * as GuestThread from "@fiberhost/wasm-host/GuestThread"
import * as Layer from "effect/Layer"
import * as NodeThreads from "./NodeThreads.ts"

/** `program`: the runner, for a bundle that has its own copy of it. Default: `@fiberhost/node/NodeGuestRunner`. */
export type Options = Omit<GuestThread.Options, "program"> & NodeThreads.Options & { readonly program?: URL }

/** Guests live on threads that the calling thread owns. Fails when a thread cannot begin. */
export const layer = (options: Options = {}): Layer.Layer<GuestExecutor.GuestExecutor, Thread.ThreadError> =>
  Layer.provide(GuestThread.layer({ ...options, program: options.program ?? runner() }), NodeThreads.layer(options))

const runner = (): URL => new URL(import.meta.resolve("@fiberhost/node/NodeGuestRunner"))
