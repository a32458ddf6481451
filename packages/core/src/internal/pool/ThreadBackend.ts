/**
 * Owner's side: the functions of a pool over threads, as Effects, bytes, promises and streams. A call waits in its
 * caller's own fiber, or its promise: it costs neither a fiber nor a queue.
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { LogLevel } from "effect/LogLevel"
import * as Stream from "effect/Stream"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import type * as HostCallError from "../../HostCallError.ts"
import type * as HostFunction from "../../HostFunction.ts"
import type * as Thread from "../../Thread.ts"
import { Bell } from "../blocking/Bell.ts"
import { ownersChannel } from "../blocking/Handle.ts"
import { Table } from "../blocking/WaitsFor.ts"
import * as CallerContext from "../CallerContext.ts"
import type { Pool } from "./Pool.ts"
import { PinnedTo, type PoolBackend, type WhenFull } from "./PoolBackend.ts"
import { BytesCall, type PoolCall, type Resume, TypedCall } from "./PoolCall.ts"
import * as Promises from "./Promises.ts"
import { StreamCall } from "./StreamCall.ts"

/** `logLevel` is what threads are started with; `watcher` is started for the first caller on another thread. */
export const make = (
  pool: Pool,
  codecs: ReadonlyArray<FunctionCodec>,
  logLevel: LogLevel,
  watcher: Effect.Effect<Thread.Watcher | undefined, Thread.ThreadError>
): PoolBackend => {
  const tell = CallerContext.teller(logLevel)
  /** Sends the call of this fiber on its way. Returns what interrupts it; undefined when it has settled. */
  const spawn = (call: PoolCall, fiber: Fiber.Fiber<unknown, unknown>, whenFull: WhenFull): PoolCall | undefined => {
    call.inherit(fiber.context, tell(fiber))
    pool.spawn(call, whenFull)
    return call.isSettled ? undefined : call
  }

  const call: PoolBackend["call"] = (index, payload, whenFull) =>
    Effect.callback((resume) => {
      const fiber = Fiber.getCurrent()!
      return spawn(
        new TypedCall(index, codecs[index]!, Context.get(fiber.context, PinnedTo), resume, payload),
        fiber,
        whenFull
      )
    })

  const bytes =
    (index: number): HostFunction.Bytes =>
    (args) =>
      Effect.callback<Uint8Array, HostCallError.HostCallError>((resume) => {
        const fiber = Fiber.getCurrent()!
        // Its thread answers with bytes, and it reads nothing else.
        const call = new BytesCall(index, codecs[index]!, Context.get(fiber.context, PinnedTo), resume as Resume, args)
        return spawn(call, fiber, "suspend")
      })

  const stream: PoolBackend["stream"] = (index, payload, whenFull) =>
    Stream.unwrap(
      Effect.map(
        Effect.acquireRelease(
          Effect.withFiber((fiber) => {
            const call = new StreamCall(index, codecs[index]!, Context.get(fiber.context, PinnedTo), payload)
            spawn(call, fiber, whenFull)
            return Effect.succeed(call)
          }),
          // It is the Effect that interrupts it.
          (call) => call
        ),
        (call) => Stream.fromPull(Effect.succeed(call.pull))
      )
    )

  const promise: PoolBackend["promise"] = (index, payload, options) =>
    new Promise((resolve, reject) => {
      const signal = options?.signal
      if (signal?.aborted === true) return reject(signal.reason)
      const call = new TypedCall(
        index,
        codecs[index]!,
        options?.key,
        (exit) => {
          if (abort !== undefined) signal!.removeEventListener("abort", abort)
          if (Exit.isSuccess(exit)) resolve(exit.value)
          else reject(Cause.squash(exit.cause))
        },
        payload
      )
      const abort =
        signal === undefined
          ? undefined
          : () => {
              call.interrupt()
              reject(signal.reason)
            }
      // What runs in its payload may abort it.
      if (abort !== undefined) signal!.addEventListener("abort", abort, { once: true })
      try {
        pool.spawn(call, Promises.whenFull(options))
      } catch (error) {
        // Such as of a key that cannot be hashed.
        if (abort !== undefined) signal!.removeEventListener("abort", abort)
        reject(error)
      }
    })

  const admit: PoolBackend["admit"] = Effect.fnUntraced(function* (channels) {
    const watching = yield* watcher
    const bell = Bell.make(pool.board.size)
    const name = crypto.randomUUID()
    if (watching !== undefined) yield* watching.bell(bell.memory)
    const asked = yield* Effect.acquireRelease(
      Effect.sync(() => channels.join(ownersChannel(name))),
      (channel) => Effect.sync(() => channel.close())
    )
    asked.listen(() => pool.callerFoundNoneIdle())
    const listening = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const listening = Deferred.makeUnsafe<void>()
        pool.admit(name, bell, watching, () => Deferred.doneUnsafe(listening, Effect.void))
        return listening
      }),
      () => Effect.sync(() => pool.dismiss(name))
    )
    yield* Deferred.await(listening)
    return {
      name,
      bell: bell.memory,
      board: pool.board.memory,
      waits: (yield* Table).memory,
      concurrency: pool.concurrency
    }
  })

  return {
    call,
    bytes,
    stream,
    promise,
    admit,
    iterate: (index, payload, options) => Promises.iterate(stream(index, payload, Promises.whenFull(options)), options),
    drain: pool.drain,
    stats: () => pool.stats
  }
}
