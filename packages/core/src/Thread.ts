/**
 * A thread that somebody started, seen from outside: a port to it, and its end.
 *
 * Who starts threads is a service, so that what uses them knows neither the platform nor which thread owns them. A
 * thread belongs to the scope that it was started in. It may end before: by a crash, by its own hand, or by `terminate`.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Place } from "./internal/pool/Board.ts"
import type { Port } from "./Wire.ts"

/** What a thread runs and is told at its start. */
export interface Program {
  /** The module that the thread begins with. */
  readonly module: URL
  /** A structured clone of it is there when the module runs. */
  readonly data: unknown
  /** Named in errors and by debuggers. */
  readonly name: string
}

/** How a thread ended. `detail` is the exception that it died of, or says that there was none. */
export interface Exit {
  readonly exitCode: number | undefined
  readonly detail: string
}

export interface Thread {
  readonly port: Port
  /** Calls the listener once, when the thread has ended. */
  readonly onExit: (listener: (exit: Exit) => void) => void
  /** Ends it now, whatever it does. It has ended when `onExit` says so. */
  readonly terminate: () => void
}

/** A thread that never blocks: it sees others end also while who owns them is blocked. */
export interface Watcher {
  /** When the thread ends, that stands on the pool's board, and the bells ring. */
  readonly watch: (thread: Thread, board: SharedArrayBuffer, place: Place) => void
  /** A bell that rings, while the scope lasts, when a thread has ended. */
  readonly bell: (memory: SharedArrayBuffer) => Effect.Effect<void, never, Scope.Scope>
}

/** Starts threads. */
export class Threads extends Context.Service<
  Threads,
  {
    /** The scope's end terminates the thread if it still runs, and waits for its end. */
    readonly start: (program: Program) => Effect.Effect<Thread, ThreadError, Scope.Scope>
    /** A watcher for threads that were started here. Where a platform has none, who is blocked does not hear of their end. */
    readonly watcher?: Effect.Effect<Watcher, ThreadError, Scope.Scope>
  }
>()("@fiberhost/core/Threads") {}

/** The thread could not begin, or its program failed before it was ready. `detail` is what its program said last. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", { detail: Schema.String }) {}

/** The program ended or crashed. `lastRan` is the function that it began last. */
export class Lost extends Schema.TaggedError<Lost>()("Lost", {
  exitCode: Schema.optionalKey(Schema.Number),
  detail: Schema.String,
  lastRan: Schema.optionalKey(Schema.String)
}) {}

export const Reason = Schema.Union([StartFailed, Lost])
export type Reason = typeof Reason.Type

/** What happened to a thread; `thread` is its name. */
export class ThreadError extends Schema.TaggedError<ThreadError>()("ThreadError", {
  thread: Schema.String,
  reason: Reason
}) {
  override get message(): string {
    return `${this.thread} ${describe(this.reason)}`
  }
}

const describe = (reason: Reason): string =>
  reason._tag === "StartFailed" ? `could not start: ${reason.detail}` : `was lost: ${describeLoss(reason)}`

/**
 * Waits until a thread that runs the program has said that it has begun. When that takes long it is logged, once: a program that
 * never comes to its end says nothing.
 *
 * @internal
 */
export const awaitReady = (
  { module, name }: Pick<Program, "module" | "name">,
  ready: Deferred.Deferred<void, ThreadError>
): Effect.Effect<void, ThreadError> =>
  Effect.timeoutOrElse(Deferred.await(ready), {
    duration: "10 seconds",
    orElse: () =>
      Effect.andThen(
        Effect.logWarning(
          `${name} has not begun after 10 seconds: ${module.href} has not come to the runner's run, or what it runs there is still being made`
        ),
        Deferred.await(ready)
      )
  })

/** What is known of a thread's end. */
export interface Loss {
  readonly exitCode?: number
  readonly detail: string
  readonly lastRan?: string
}

/** Of a thread that has ended, having begun `lastRan` last. */
export const lossOf = ({ detail, exitCode }: Exit, lastRan: string | undefined): Loss => ({
  detail,
  ...(exitCode === undefined ? {} : { exitCode }),
  ...(lastRan === undefined ? {} : { lastRan })
})

/** What ended a thread, in words. */
export const describeLoss = ({ detail, exitCode, lastRan }: Loss): string =>
  detail +
  (exitCode === undefined ? "" : ` (exit code ${exitCode})`) +
  (lastRan === undefined ? "" : `; it began "${lastRan}" last`)
