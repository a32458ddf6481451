/**
 * Threads of Node.js (`node:worker_threads`), for whatever runs on threads.
 */
import {
  MessageChannel,
  type MessagePort,
  markAsUntransferable,
  type ResourceLimits,
  type Transferable,
  Worker
} from "node:worker_threads"
import * as Foreign from "@fiberhost/core/Foreign"
import * as Thread from "@fiberhost/core/Thread"
import type * as Wire from "@fiberhost/core/Wire"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ThreadStart from "./internal/ThreadStart.ts"
import type { Message } from "./NodeThreadWatcher.ts"

export interface Options {
  /** Limits of V8 for each thread, in MiB. A thread that passes them ends, and says so. */
  readonly resourceLimits?: ResourceLimits
  /** The environment variables of each thread. Default: a copy of this thread's. */
  readonly env?: Readonly<Record<string, string>>
  /** Options of node for each thread. Default: this process's. */
  readonly execArgv?: ReadonlyArray<string>
  /**
   * How long a thread that has answered everything polls for more before it sleeps; waking it costs its caller 15 to 40
   * us, and the call as much again. The caller's event loop does not sleep for up to 30 us while an answer may come
   * that soon. Either waits for up to a millisecond when it had to wake the other. Who is awake need not be woken: what
   * is said lies in memory that both share. Zero: both sleep at once; a guest that waits for a sync host function polls
   * all the same, for 50 us, or for up to a millisecond when the application had to be woken. Default: 100
   * microseconds. More than a millisecond is a millisecond.
   */
  readonly busyPoll?: Duration.Input
  /**
   * The program that sees threads end while who owns them is blocked (`NodeBlocking`), for a bundle that has its own copy of
   * it. Default: `@fiberhost/node/NodeThreadWatcher`.
   */
  readonly watcher?: URL
}

/** Threads that the calling thread owns. */
export const layer = (options: Options = {}): Layer.Layer<Thread.Threads> =>
  Layer.succeed(Thread.Threads, {
    start: (program) =>
      Effect.acquireRelease(
        Effect.try({
          try: () => startWorker(program, options),
          catch: (error) =>
            new Thread.ThreadError({
              thread: program.name,
              reason: new Thread.StartFailed({ detail: Foreign.textOf(error) })
            })
        }),
        (thread) =>
          Effect.callback<void>((resume) => {
            thread.onExit(() => resume(Effect.void))
            thread.terminate()
          })
      ),
    watcher: startWatcher(options.watcher)
  })

const startWorker = ({ data, module, name }: Thread.Program, options: Options): Thread.Thread => {
  const busyPoll = Math.min(Duration.toMillis(options.busyPoll ?? "100 micros"), 1)
  const lifeline = new MessageChannel()
  const { ringBuffers, start } = ThreadStart.make(data, busyPoll, lifeline.port2)
  try {
    const worker = new Worker(module, {
      name,
      workerData: start,
      transferList: [lifeline.port2],
      ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.execArgv === undefined ? {} : { execArgv: [...options.execArgv] })
    })
    const thread = fromWorker(worker, ringBuffers, Math.min(busyPoll, ownersPoll))
    lifelines.set(thread, lifeline.port1)
    return thread
  } catch (error) {
    // It closes with the thread, and there is none.
    lifeline.port1.close()
    throw error
  }
}

/** This thread's end of a port to each thread, until a watcher is given it. */
const lifelines = new WeakMap<Thread.Thread, MessagePort>()

const watcherFailed = (detail: string): Thread.ThreadError =>
  new Thread.ThreadError({ thread: "the watcher of threads", reason: new Thread.StartFailed({ detail }) })

const startWatcher = Effect.fnUntraced(function* (
  program: URL | undefined
): Effect.fn.Return<Thread.Watcher, Thread.ThreadError, Scope.Scope> {
  const worker = yield* Effect.acquireRelease(
    Effect.try({
      try: () => new Worker(program ?? new URL(import.meta.resolve("@fiberhost/node/NodeThreadWatcher"))),
      catch: (error) =>
        watcherFailed(`${Foreign.textOf(error)}. In a bundle, name its program: NodeThreads.Options.watcher`)
    }),
    (worker) => Effect.promise(() => worker.terminate())
  )
  yield* Effect.callback<void, Thread.ThreadError>((resume) => {
    const failed = (detail: string) => resume(Effect.fail(watcherFailed(detail)))
    worker.once("message", () => resume(Effect.void))
    worker.on("error", (error) => failed(Foreign.textOf(error)))
    worker.on("exit", () => failed("its program ended"))
  })
  worker.unref()
  const post = (message: Message, transfer: Array<Transferable> = []) => worker.postMessage(message, transfer)
  let bells = 0
  return {
    watch: (thread, board, place) => {
      const lifeline = lifelines.get(thread)
      lifelines.delete(thread)
      if (lifeline !== undefined) post({ what: "watch", lifeline, board, place }, [lifeline])
    },
    bell: (bell) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            const id = bells++
            post({ what: "bell", id, bell })
            return id
          }),
          (id) => Effect.sync(() => post({ what: "forget", id, bell }))
        )
      )
  }
})

/** How long the owner's event loop does not sleep, in milliseconds: longer than a call takes that is answered at once. */
const ownersPoll = 0.03

const fromWorker = (worker: Worker, ringBuffers: Wire.RingBuffers, busyPoll: number): Thread.Thread => {
  let exit: Thread.Exit | undefined
  let detail = "its program ended"
  const listeners: Array<(exit: Thread.Exit) => void> = []
  worker.on("error", (error) => {
    detail =
      error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${Inspectable.toStringUnknown(error, 0)}`
  })
  worker.on("messageerror", (error) => {
    detail = `a message of its cannot be read: ${error.message}`
    void worker.terminate()
  })
  worker.on("exit", (exitCode) => {
    exit = { exitCode, detail }
    for (const listener of listeners) listener(exit)
  })
  return {
    port: { ...portOf(worker), busyPoll, ringBuffers },
    onExit: (listener) => {
      if (exit === undefined) listeners.push(listener)
      else listener(exit)
    },
    terminate: () => {
      if (exit === undefined) void worker.terminate()
    }
  }
}

/** The wire's port of a worker, seen from its owner, or of a message port. */
export const portOf = (end: Worker | MessagePort): Wire.Port => ({
  seal: markAsUntransferable,
  post: (message, transfer) => end.postMessage(message, transfer as Array<Transferable>),
  listen: (onMessage) => void end.on("message", onMessage)
})
