/**
 * A host pool over threads of Node.js: what runs host functions, or any CPU-bound work, on all cores.
 *
 * The contract is a class (`HostPool.Service`). Its handlers are a layer in a module of their own, which each thread
 * runs (`NodeHostRunner.run`). `layer` gives the pool to an Effect program, `open` to one without Effect.
 *
 * With a call crosses what it is made under: its deadline, its span, and the log level that was set around it. A caller without
 * Effect has none of them: the pool's log level holds.
 */
import { availableParallelism } from "node:os"
import * as HostPool from "@fiberhost/core/HostPool"
import type * as Thread from "@fiberhost/core/Thread"
import * as ThreadPool from "@fiberhost/core/ThreadPool"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import * as Scope from "effect/Scope"
import * as NodeThreads from "./NodeThreads.ts"

/** `size` is by default one less than the number of cores, and at least 1. */
export type Options<Init> = ThreadPool.Options<Init> & NodeThreads.Options

/** The pool over threads that the calling thread owns. Fails when a thread cannot begin. */
export const layer = <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  options: Options<Init> & ThreadPool.RequireInitial<Init>
): Layer.Layer<Self, Thread.ThreadError> =>
  Layer.provide(ThreadPool.layer(contract, withSize(options)), NodeThreads.layer(options))

/** A pool that somebody without Effect owns: it ends when it is closed, or with `await using`. Until then its process runs. */
export type Opened<R extends Rpc.Any> = HostPool.Promises<R> & AsyncDisposable

/** `signal` gives up while threads have not begun: none is left then, and its reason is the rejection. */
export type OpenOptions<Init> = Options<Init> & { readonly signal?: AbortSignal | undefined }

/** Starts a pool for callers without Effect. Rejects with a `ThreadError` when a thread cannot begin. */
export const open = async <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  options: OpenOptions<Init> & ThreadPool.RequireInitial<Init>
): Promise<Opened<R>> => {
  const { signal } = options
  const scope = Scope.makeUnsafe()
  let closed: Promise<void> | undefined
  const close = () => (closed ??= Effect.runPromise(Scope.close(scope, Exit.void)))
  try {
    const pool = await Effect.runPromise(
      ThreadPool.make(contract, withSize(options)).pipe(
        Effect.provide(NodeThreads.layer(options)),
        Scope.provide(scope)
      ),
      signal && { signal }
    )
    return Object.assign(HostPool.promises(pool), { [Symbol.asyncDispose]: close })
  } catch (error) {
    await close()
    throw signal?.aborted ? signal.reason : error
  }
}

const withSize = <O extends { readonly size?: ThreadPool.Options<unknown>["size"] }>(options: O): O => ({
  ...options,
  size: options.size ?? Math.max(1, availableParallelism() - 1)
})
