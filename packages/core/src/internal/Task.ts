/**
 * Executor side: one task from its admission to its exit. It takes over the permit and gives it back when it settles;
 * whichever way that happens, it happens in `settle`, once.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scheduler from "effect/Scheduler"
import * as Admission from "../Admission.ts"
import type { Member } from "../Line.ts"
import { ExecutorError, Interrupted, type TaskHandle } from "../TaskHandle.ts"

/** What an executor knows of its tasks, whatever they answer. */
export interface Stoppable extends Member<Stoppable> {
  readonly stop: (reason: "Interrupted" | "Closed", interruptor?: number) => void
}

export class Task<A, E, R> implements TaskHandle<A, E>, Stoppable {
  previous: Stoppable | undefined = undefined
  next: Stoppable | undefined = undefined
  readonly id = ++lastId
  exit: Exit.Exit<A, E | ExecutorError> | undefined = undefined
  private readonly permit: Admission.Permit
  private readonly effect: Effect.Effect<A, E, R>
  private readonly context: Context.Context<R>
  private readonly onSettle: (task: Task<A, E, R>, exit: Exit.Exit<A, E | ExecutorError>) => void
  /** Made for the first who awaits. */
  private reply: Deferred.Deferred<A, E | ExecutorError> | undefined = undefined
  private fiber: Fiber.Fiber<A, E> | undefined = undefined
  private started = false
  /** What an interruption of the fiber stands for. */
  private stopped: "Interrupted" | "Closed" = "Interrupted"

  /** `onSettle` is told once, maybe within `advance`, and before those who await. */
  constructor(
    permit: Admission.Permit,
    effect: Effect.Effect<A, E, R>,
    context: Context.Context<R>,
    onSettle: (task: Task<A, E, R>, exit: Exit.Exit<A, E | ExecutorError>) => void
  ) {
    this.permit = permit
    this.effect = effect
    this.context = context
    this.onSettle = onSettle
  }

  get await(): Effect.Effect<A, E | ExecutorError> {
    return Effect.suspend(() => this.exit ?? Deferred.await((this.reply ??= Deferred.makeUnsafe())))
  }

  get poll(): Effect.Effect<Option.Option<Exit.Exit<A, E | ExecutorError>>> {
    return Effect.sync(() => Option.fromUndefinedOr(this.exit))
  }

  get interrupt(): Effect.Effect<void> {
    return Effect.withFiber((caller) => {
      this.stop("Interrupted", caller.id)
      return this.exit === undefined ? Effect.asVoid(Effect.exit(this.await)) : Effect.void
    })
  }

  /** Does what the permit's state asks for: to be called once the task is registered, and when the permit changed. */
  advance(): void {
    if (this.started || this.exit !== undefined) return
    if (this.permit.state === "Active") this.start()
    else if (this.permit.state === "Refused") this.stop("Closed")
  }

  /** Starts to stop the task; it settles now if it has not begun, else when its finalizers have run. */
  stop(reason: "Interrupted" | "Closed", interruptor?: number): void {
    if (this.exit !== undefined) return
    this.stopped = reason
    if (this.started) this.fiber!.interruptUnsafe(interruptor)
    else this.settle(Exit.fail(stopError(reason)))
  }

  private start(): void {
    this.started = true
    const effect = Effect.withFiber<A, E, R>((fiber) => {
      // Known before the task's first step, which may close the executor.
      this.fiber = fiber as Fiber.Fiber<A, E>
      return nesting > maxNesting ? Effect.andThen(Effect.yieldNow, this.effect) : this.effect
    })
    nesting++
    try {
      this.fiber = Effect.runForkWith(Admission.provide(this.context, this.permit))(effect)
    } finally {
      nesting--
    }
    this.fiber.addObserver((exit) => this.settle(typedExit(exit, this.stopped)))
  }

  private settle(exit: Exit.Exit<A, E | ExecutorError>): void {
    this.exit = exit
    this.permit.leave()
    if (nesting > maxNesting) {
      const dispatcher = Context.get(this.context, Scheduler.Scheduler).makeDispatcher()
      return dispatcher.scheduleTask(() => this.answer(exit), 0)
    }
    nesting++
    try {
      this.answer(exit)
    } finally {
      nesting--
    }
  }

  private answer(exit: Exit.Exit<A, E | ExecutorError>): void {
    this.onSettle(this, exit)
    if (this.reply !== undefined) Deferred.doneUnsafe(this.reply, exit)
  }
}

let lastId = 0

/**
 * A task starts on the stack of whoever lets it in, and who awaits it goes on upon the task's. Tasks that start or
 * await tasks would overflow the stack, so from this depth on both happen in a later turn of the scheduler.
 */
const maxNesting = 32
let nesting = 0

const stopError = (reason: "Interrupted" | "Closed"): ExecutorError =>
  new ExecutorError(reason === "Closed" ? new Admission.Closed() : new Interrupted(), undefined)

/** The exit without interruptions, which would interrupt whoever awaits it, and with the typed error instead. */
const typedExit = <A, E>(exit: Exit.Exit<A, E>, stopped: "Interrupted" | "Closed"): Exit.Exit<A, E | ExecutorError> => {
  if (Exit.isSuccess(exit) || !Cause.hasInterrupts(exit.cause)) return exit
  const others: ReadonlyArray<Cause.Reason<E | ExecutorError>> = exit.cause.reasons.filter(
    (reason) => !Cause.isInterruptReason(reason)
  )
  return Exit.failCause(Cause.fromReasons([...others, Cause.makeFailReason(stopError(stopped))]))
}
