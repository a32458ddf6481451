/**
 * Runs tasks on this thread, so many at once and so many in line, and answers each through its own handle.
 *
 * A task is an Effect. It is active from its admission until it settles, also while it waits for something. It runs in
 * a fiber of the executor with the services of its spawner, so it neither holds its spawner nor ends with it; it ends
 * when it is done, when its handle interrupts it, or with the executor, whose end is that of the scope it was made in.
 * A task that runs a task of the same executor is never held up by `concurrency` (see `Admission.Current`).
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Admission from "./Admission.ts"
import * as Count from "./Count.ts"
import { tell } from "./Foreign.ts"
import { type Stoppable, Task } from "./internal/Task.ts"
import { Line } from "./Line.ts"
import { ExecutorError, type StreamHandle, type TaskHandle } from "./TaskHandle.ts"

export { Closed, NoRoom } from "./Admission.ts"
export { ExecutorError, ExecutorReason, Interrupted } from "./TaskHandle.ts"

/** `concurrency`: active tasks, default unbounded. `capacity`: tasks in line, default 100. */
export interface Options extends Admission.Options {}

export interface StreamOptions {
  /** How many answers wait for their reader before the task is suspended. Default: 16. */
  readonly bufferSize?: number | undefined
}

/** `suspended` are the callers of `spawn`, `spawnStream` and `run` that wait for a place in line. */
export interface Stats extends Admission.Stats {}

export class Executor extends Context.Service<
  Executor,
  {
    /** Starts the task or puts it in line; fails with `NoRoom` or `Closed` and the task handed back if it cannot. */
    readonly trySpawn: <A, E, R>(
      task: Effect.Effect<A, E, R>
    ) => Effect.Effect<TaskHandle<A, E>, ExecutorError<Effect.Effect<A, E, R>>, R>
    /** As `trySpawn`, but suspends the caller, first come first served, until there is a place in line. */
    readonly spawn: <A, E, R>(
      task: Effect.Effect<A, E, R>
    ) => Effect.Effect<TaskHandle<A, E>, ExecutorError<Effect.Effect<A, E, R>>, R>
    /** Spawns and awaits. An interrupted caller interrupts the task and waits for its finalizers. */
    readonly run: <A, E, R>(task: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ExecutorError, R>
    /** `trySpawn` for a task with many answers. */
    readonly trySpawnStream: <A, E, R>(
      task: Stream.Stream<A, E, R>,
      options?: StreamOptions
    ) => Effect.Effect<StreamHandle<A, E>, ExecutorError<Stream.Stream<A, E, R>>, R>
    /** `spawn` for a task with many answers. */
    readonly spawnStream: <A, E, R>(
      task: Stream.Stream<A, E, R>,
      options?: StreamOptions
    ) => Effect.Effect<StreamHandle<A, E>, ExecutorError<Stream.Stream<A, E, R>>, R>
    /**
     * Takes nothing new and completes when all that is in has settled; callers suspended for a place fail with `Closed`.
     * Called by one of its own tasks, it does not wait.
     */
    readonly drain: Effect.Effect<void>
    /**
     * Interrupts all tasks and completes when their finalizers have run: what had no answer yet answers `Closed`. Called
     * by one of its own tasks, it does not wait.
     */
    readonly close: Effect.Effect<void>
    readonly stats: Effect.Effect<Stats>
  }
>()("@fiberhost/core/Executor") {}

/** An executor that is closed with the scope. Options that are no counts are a defect. */
export const make = (options?: Options): Effect.Effect<Executor["Service"], never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => makeUnsafe(options)),
    (executor) => executor.close
  )

export const layer = (options?: Options): Layer.Layer<Executor> => Layer.effect(Executor, make(options))

type OnExit<A, E> = (exit: Exit.Exit<A, E | ExecutorError>) => void

const makeUnsafe = (options: Options | undefined): Executor["Service"] => {
  const admission = Admission.make(options)
  // Everything that was let in or stands in line, and has not settled.
  const tasks = new Line<Stoppable>()

  /** Makes the permit's holder a task; it may have settled on return. */
  const take = <A, E, R>(
    permit: Admission.Permit,
    effect: Effect.Effect<A, E, R>,
    context: Context.Context<never>,
    onExit: OnExit<A, E> | undefined
  ): Task<A, E, R> => {
    // The spawner's effect requires R, so its context has it.
    const task = new Task(permit, effect, context as Context.Context<R>, (task, exit) => {
      tasks.remove(task)
      if (onExit !== undefined) tell(onExit, exit)
    })
    tasks.push(task)
    permit.onChange = permit.state === "Active" ? undefined : () => task.advance()
    task.advance()
    return task
  }

  const trySpawn = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    onExit?: OnExit<A, E>
  ): Effect.Effect<TaskHandle<A, E>, Admission.Refusal, R> =>
    Effect.withFiber((fiber) => {
      const entry = admission.tryEnter(fiber.context)
      return typeof entry === "string" ? Effect.fail(entry) : Effect.succeed(take(entry, effect, fiber.context, onExit))
    })

  const spawn = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    onExit?: OnExit<A, E>
  ): Effect.Effect<TaskHandle<A, E>, "Closed", R> =>
    Effect.withFiber((fiber) => {
      const entry = admission.tryEnter(fiber.context)
      if (entry === "Closed") return Effect.fail(entry)
      if (entry !== "NoRoom") return Effect.succeed(take(entry, effect, fiber.context, onExit))
      return Effect.callback((resume) => {
        const permit = admission.request(fiber.context)
        if (permit === "Closed") return resume(Effect.fail(permit))
        let task: Task<A, E, R> | undefined = undefined
        const place = () => resume(Effect.succeed((task ??= take(permit, effect, fiber.context, onExit))))
        if (permit.state !== "Suspended") return place()
        permit.onChange = () => (permit.state === "Refused" ? resume(Effect.fail("Closed")) : place())
        // Once there is a task the permit is the task's, and an interrupted spawner leaves it alone.
        return Effect.sync(() => task ?? permit.leave())
      })
    })

  const run = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | ExecutorError, R> =>
    Effect.withFiber((fiber) =>
      // The entry and its undoing are registered in one step, so no interruption comes between.
      Effect.callback((resume) => {
        const permit = admission.request(fiber.context)
        if (permit === "Closed") return resume(Effect.fail(new ExecutorError(new Admission.Closed(), undefined)))
        const task = take(permit, effect, fiber.context, resume)
        return task.exit === undefined ? task.interrupt : undefined
      })
    )

  const handBack = <T>(refusal: Admission.Refusal, task: T): ExecutorError<T> =>
    new ExecutorError(
      refusal === "Closed"
        ? new Admission.Closed()
        : new Admission.NoRoom({ capacity: admission.capacity, waiting: admission.stats.waiting }),
      task
    )

  const close = Effect.withFiber((fiber) => {
    admission.close()
    for (const task of tasks.members) task.stop("Closed", fiber.id)
    return admission.drain
  })

  return {
    trySpawn: (task) => Effect.mapError(trySpawn(task), (refusal) => handBack(refusal, task)),
    spawn: (task) => Effect.mapError(spawn(task), (refusal) => handBack(refusal, task)),
    run,
    trySpawnStream: (task, options) =>
      Effect.mapError(intoQueue(trySpawn, task, options), (refusal) => handBack(refusal, task)),
    spawnStream: (task, options) =>
      Effect.mapError(intoQueue(spawn, task, options), (refusal) => handBack(refusal, task)),
    drain: admission.drain,
    close,
    stats: Effect.sync(() => admission.stats)
  }
}

/** Spawns a task that puts the stream's elements into a queue, which ends as the task does. */
const intoQueue = <A, E, R, Refusal>(
  spawn: (effect: Effect.Effect<void, E, R>, onExit: OnExit<void, E>) => Effect.Effect<TaskHandle<void, E>, Refusal, R>,
  stream: Stream.Stream<A, E, R>,
  options: StreamOptions | undefined
): Effect.Effect<StreamHandle<A, E>, Refusal, R> =>
  Effect.flatMap(replyQueue<A, E>(options), (queue) =>
    Effect.map(
      spawn(
        Stream.runForEachArray(stream, (elements) => Queue.offerAll(queue, elements)),
        (exit) => (Exit.isSuccess(exit) ? Queue.endUnsafe(queue) : Queue.failCauseUnsafe(queue, exit.cause))
      ),
      (task) => ({ id: task.id, replies: Queue.asDequeue(queue), interrupt: task.interrupt })
    )
  )

const replyQueue = <A, E>(options: StreamOptions | undefined) =>
  Effect.suspend(() =>
    Queue.bounded<A, E | ExecutorError | Cause.Done>(
      Count.orInfinity("bufferSize", options?.bufferSize ?? defaultBufferSize, 1)
    )
  )

/** How many answers of a stream may wait to be taken, unless it is said. */
export const defaultBufferSize = 16
