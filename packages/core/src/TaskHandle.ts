/**
 * What a spawner holds of its task: its replies, and the means to interrupt it.
 *
 * The executor owns the task; a handle may be dropped at any time and the task goes on. A task's exit reaches its own
 * handle only, and reaches it always: a task that was interrupted or closed answers a typed {@link ExecutorError}, so
 * that nobody is interrupted for having awaited it.
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import type * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Admission from "./Admission.ts"

/** The task was interrupted: by its handle, or by itself. */
export class Interrupted extends Schema.TaggedError<Interrupted>("@fiberhost/core/Interrupted")("Interrupted", {}) {
  override get message(): string {
    return "interrupted before it had an answer"
  }
}

/**
 * - `NoRoom`: nothing was started and nothing waits. Wait for a place with `spawn` or `run`, or raise `capacity`.
 * - `Closed`: not taken because the executor drains or is closed, or stopped when it was closed.
 * - `Interrupted`: stopped by its handle, or by itself.
 */
export type ExecutorReason = Admission.NoRoom | Admission.Closed | Interrupted

export const ExecutorReason: Schema.Union<[typeof Admission.NoRoom, typeof Admission.Closed, typeof Interrupted]> =
  Schema.Union([Admission.NoRoom, Admission.Closed, Interrupted])

/**
 * The executor, not the task, is why there is no answer. `task` is what was handed in and not taken; it is `undefined`
 * when the task had been taken.
 */
export class ExecutorError<out Task = undefined> extends Data.TaggedError("ExecutorError")<{
  readonly reason: ExecutorReason
  readonly task: unknown
}> {
  declare readonly task: Task

  constructor(reason: ExecutorReason, task: Task) {
    super({ reason, task })
  }

  override get message(): string {
    switch (this.reason._tag) {
      case "NoRoom":
        return `No room for the task: ${this.reason.message}. Wait for a place with spawn or run, or raise the capacity.`
      case "Closed":
        return `The executor was ${this.reason.message}. Give the task to another executor.`
      case "Interrupted":
        return `The task was ${this.reason.message}.`
    }
  }
}

/** A task with one answer. */
export interface TaskHandle<out A, out E = never> {
  /** Unique among the tasks of this thread. */
  readonly id: number
  /** The task's answer, for any number of fibers at any time. Interrupting an awaiting fiber leaves the task alone. */
  readonly await: Effect.Effect<A, E | ExecutorError>
  /** None until the task has settled. */
  readonly poll: Effect.Effect<Option.Option<Exit.Exit<A, E | ExecutorError>>>
  /**
   * Interrupts the task and completes when its finalizers have run. A task that is not active yet never runs. Nothing
   * happens to one that has settled.
   */
  readonly interrupt: Effect.Effect<void>
}

/** A task with many answers. */
export interface StreamHandle<out A, out E = never> {
  readonly id: number
  /**
   * The answers in order. Those that the task gave before it ended can still be taken; then the queue ends with
   * `Cause.Done` or fails as the task did. A full queue suspends the task, so interrupt it if you stop reading.
   */
  readonly replies: Queue.Dequeue<A, E | ExecutorError | Cause.Done>
  /** As that of {@link TaskHandle}. */
  readonly interrupt: Effect.Effect<void>
}
