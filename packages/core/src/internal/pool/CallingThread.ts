/**
 * A pool's functions in the calling thread, behind an executor. Values cross the codecs as they do on their way to
 * another thread, so a program behaves the same over both. But there is nothing beside the bytes: buffers are copied where
 * they would be moved, and what only the structured clone can carry is refused.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Admission from "../../Admission.ts"
import * as Executor from "../../Executor.ts"
import { isA } from "../../Foreign.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as HostFunction from "../../HostFunction.ts"
import { Bell } from "../blocking/Bell.ts"
import { Door } from "../blocking/Door.ts"
import { Table } from "../blocking/WaitsFor.ts"
import type { Service } from "../serve/CallServer.ts"
import { Board, maxLoad, Phase, type Place } from "./Board.ts"
import type { PoolBackend, WhenFull } from "./PoolBackend.ts"
import * as Promises from "./Promises.ts"

export const make = Effect.fnUntraced(function* (
  functions: ReadonlyArray<HostFunction.Implementation>,
  options: Executor.Options | undefined
): Effect.fn.Return<PoolBackend, never, Scope.Scope> {
  const executor = yield* Executor.make(options)

  const bytes =
    (index: number, whenFull: WhenFull): HostFunction.Bytes =>
    (args) => {
      const { bytes, codec } = functions[index]!
      return run(
        executor,
        codec.name,
        whenFull,
        Effect.suspend(() => bytes(args))
      )
    }
  const faces = functions.map(({ codec }, index) => ({
    suspend: HostFunction.fromBytes(codec, bytes(index, "suspend")),
    fail: HostFunction.fromBytes(codec, bytes(index, "fail"))
  }))
  const call: PoolBackend["call"] = (index, payload, whenFull) => faces[index]![whenFull](payload)

  const stream: PoolBackend["stream"] = (index, payload, whenFull) => {
    const { codec, stream } = functions[index]!
    const elements = Stream.suspend(() => {
      const decoded = carriedArguments(codec, payload)
      if (Result.isFailure(decoded)) return Stream.fail(HostCallError.argumentsRefused(codec.name, decoded.failure))
      return Stream.mapEffect(
        Stream.mapError(stream(decoded.success), (failure) => carriedFailure(codec, failure)),
        (element) =>
          Effect.fromResult(
            Result.mapError(codec.carryElement(element), (error) => HostCallError.answerRefused(codec.name, error))
          )
      )
    })
    return Stream.callback((queue) => {
      const task = Stream.runForEachArray(elements, (values) => Queue.offerAll(queue, values))
      return Effect.andThen(run(executor, codec.name, whenFull, task), Queue.end(queue))
    }, buffered)
  }

  // The calling thread is the only one on the board. It takes what the executor takes: calls that run and calls that wait.
  const concurrency = Math.min(
    (options?.concurrency ?? Infinity) + (options?.capacity ?? Admission.defaultCapacity),
    maxLoad
  )
  const board = Board.make(1)
  const place: Place = { slot: 0, generation: board.begin(0) }
  board.open(0)
  board.expect(1, 0)
  const context = HostFunction.withoutCaller(yield* Effect.context<never>())
  const bells = new Set<Bell>()
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      board.phase = Phase.Closed
      for (const bell of bells) bell.ring()
    })
  )
  const service: Service = {
    functions: functions.map((implementation) => executed(executor, implementation)),
    context,
    onBegin: (index) => board.setLastRan(0, index)
  }
  const admit: PoolBackend["admit"] = Effect.fnUntraced(function* (channels) {
    board.setThreadId(0, channels.threadId)
    const bell = Bell.make(1)
    const name = crypto.randomUUID()
    const waits = yield* Table
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        bells.add(bell)
        return new Door({
          channels,
          name,
          bell: bell.memory,
          place,
          board,
          waits,
          service,
          onFree: () => board.release(place),
          isBusy: () => true,
          onClosed: () => bells.delete(bell)
        })
      }),
      (door) =>
        Effect.suspend(() => {
          bell.release()
          board.announceRoom()
          return Fiber.interruptAll(door.close())
        })
    )
    return { name, bell: bell.memory, board: board.memory, waits: waits.memory, concurrency }
  })

  return {
    call,
    stream,
    admit,
    bytes: (index) => bytes(index, "suspend"),
    ...Promises.fromEffects(call, stream),
    drain: executor.drain,
    stats: () => {
      const { active, nested, suspended, waiting } = Effect.runSync(executor.stats)
      return { waiting: waiting + suspended, active: active + nested, threads: 0, lost: 0 }
    }
  }
})

/** The same function as a task of the executor. */
const executed = (
  executor: Executor.Executor["Service"],
  implementation: HostFunction.Implementation
): HostFunction.Implementation => ({
  ...implementation,
  perform: (payload) =>
    run(
      executor,
      implementation.codec.name,
      "suspend",
      Effect.suspend(() => implementation.perform(payload))
    )
})

/** Runs a task for a caller who waits for it, in the line as well, and can be interrupted: the task is his from its entry on. */
const run = <A, E>(
  executor: Executor.Executor["Service"],
  name: string,
  whenFull: WhenFull,
  task: Effect.Effect<A, E>
): Effect.Effect<A, E | HostCallError.HostCallError> =>
  Effect.mapError(
    whenFull === "suspend"
      ? executor.run(task)
      : Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(executor.trySpawn(task), (handle) =>
            Effect.onInterrupt(restore(handle.await), () => handle.interrupt)
          )
        ),
    (error) => (isExecutorError(error) ? notRun(name, error) : error)
  )

const buffered = { bufferSize: Executor.defaultBufferSize }

/** A stream's own failure, as its reader gets it: the contract's, or why it does not fit that. */
const carriedFailure = (codec: FunctionCodec, failure: unknown): unknown => {
  if (isA(failure, HostCallError.HostCallError)) return failure
  const carried = Result.flatMap(codec.encodeAnswer(Result.fail(failure)), codec.decodeAnswer)
  if (Result.isFailure(carried)) return HostCallError.answerRefused(codec.name, carried.failure)
  return Result.merge(carried.success)
}

const carriedArguments = (codec: FunctionCodec, payload: unknown) =>
  Result.flatMap(codec.encodeArguments(payload), codec.decodeArguments)

const isExecutorError = (error: unknown): error is Executor.ExecutorError<unknown> => isA(error, Executor.ExecutorError)

const notRun = (name: string, { reason }: Executor.ExecutorError<unknown>): HostCallError.HostCallError => {
  switch (reason._tag) {
    case "NoRoom":
      return new HostCallError.HostCallError({
        function: name,
        reason: new HostCallError.NoRoom({ capacity: reason.capacity })
      })
    case "Closed":
      return new HostCallError.HostCallError({ function: name, reason: new HostCallError.Closed() })
    case "Interrupted":
      return new HostCallError.HostCallError({ function: name, reason: new HostCallError.Interrupted() })
  }
}
