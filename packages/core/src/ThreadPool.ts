/**
 * A host pool whose functions run on threads of their own, in parallel.
 *
 * The threads run a program of the user's that serves the pool's handlers (`HostRunner`). Calls travel as the bytes that
 * the contract's codecs write, many to a message. A thread that is lost fails only the calls that it had begun, and is
 * replaced; an interrupted call is forgotten at once, and its function is interrupted on its thread. The pool belongs to
 * its layer's scope: its end settles every call, lets the threads run their finalizers, and waits for their end.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Codec from "./Codec.ts"
import * as Count from "./Count.ts"
import * as HostCallError from "./HostCallError.ts"
import * as HostPool from "./HostPool.ts"
import { maxLoad } from "./internal/pool/Board.ts"
import { Pool, type Slot } from "./internal/pool/Pool.ts"
import * as ThreadBackend from "./internal/pool/ThreadBackend.ts"
import * as ThreadLife from "./internal/pool/ThreadLife.ts"
import * as Thread from "./Thread.ts"

export interface Options<Init> {
  /** The module that each thread runs: it serves the pool's handlers. */
  readonly program: URL
  /** The value that each thread is given, if the contract has one. */
  readonly initial?: Init
  /**
   * How many threads: a fixed number, or between two. Then a call that finds no idle thread starts another, one at a
   * time, and one that had nothing to do for `idleTime` (default 10 seconds, at least a millisecond; at most twice that) ends.
   * When one cannot begin, no other is started for a second. Default: 1.
   */
  readonly size?: number | { readonly min: number; readonly max: number; readonly idleTime?: Duration.Input }
  /**
   * Calls that a thread has at once, running or about to run there. Default: 64, which hides the time that a message
   * takes. With functions that burn CPU for long, 1 or 2 shares them out evenly, and fewer are lost with a thread. At
   * most 32,767.
   */
  readonly concurrency?: number
  /** Calls that may wait for a thread before `try` fails. Others wait without a bound, each in its caller. Default: 100. */
  readonly capacity?: number
  /**
   * When a lost thread is replaced, and how often in a row; it begins anew when a replacement has answered a call. When
   * it is at its end the slot stays empty, and when all are empty calls fail with `NoThread`. Default: at once, then
   * after 100 ms, doubled up to 5 seconds, for ever.
   */
  readonly restart?: Schedule.Schedule<unknown, Thread.ThreadError>
  /** How long closing waits for calls that are in, before it interrupts them. Default: not at all. */
  readonly drain?: Duration.Input
  /** How long an interrupted thread has for its finalizers, before it is terminated. Default: 5 seconds. */
  readonly grace?: Duration.Input
  /**
   * How long a function whose caller has left may hold up its thread, computing without a pause, before that is ended and replaced:
   * then its caller left at least so long ago, and less than twice that and a tenth of a second, in which a thread that does not
   * compute is heard. Calls that others wait for, and that the thread had begun before, fail with `ThreadLost`. One that may be
   * computing for somebody who waits goes on. Infinity: it always does. Default: 5 seconds.
   */
  readonly escalation?: { readonly interrupted?: Duration.Input }
}

/** A contract with an initial value needs it. */
export type RequireInitial<Init> = [Init] extends [void] ? {} : { readonly initial: Init }

/**
 * The pool over threads. Fails with `StartFailed` when a thread cannot begin. Options that are no counts are a defect.
 */
export const layer = <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  options: Options<Init> & RequireInitial<Init>
): Layer.Layer<Self, Thread.ThreadError, Thread.Threads> => Layer.effect(contract, make(contract, options))

/** What `layer` provides, for as long as the scope. */
export const make = Effect.fnUntraced(function* <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  options: Options<Init> & RequireInitial<Init>
): Effect.fn.Return<HostPool.Functions<R>, Thread.ThreadError, Thread.Threads | Scope.Scope> {
  const { idleTime, max, min } = sizeOf(options.size ?? 1)
  const codecs = Array.from(contract.codecs.values())
  const context = yield* Effect.context<Thread.Threads>()
  const threads = yield* Thread.Threads
  const runFork = Effect.runForkWith(context)
  const logLevel = yield* References.MinimumLogLevel
  // Threads end together, and before what the pool was built from.
  const scope = yield* Scope.make("parallel")
  const grow = () => {
    if (pool.slots.length < max && !pool.awaitsThread) fill(false)
  }
  const pool = new Pool({
    concurrency: Count.finite("concurrency", options.concurrency ?? 64, 1, maxLoad),
    capacity: Count.finite("capacity", options.capacity ?? 100, 0),
    slots: max,
    pinnable: min,
    onBusy: min < max ? grow : undefined
  })
  yield* Effect.addFinalizer((exit) =>
    Effect.timeoutOption(pool.drain, options.drain ?? Duration.zero).pipe(
      Effect.andThen(Effect.sync(() => pool.close())),
      Effect.andThen(Scope.close(scope, exit))
    )
  )

  const life = ThreadLife.make(pool, {
    program: options.program,
    contract,
    initial: yield* initialOf(contract, options.initial as Init),
    logLevel,
    grace: options.grace ?? "5 seconds",
    interrupted: Duration.fromInputUnsafe(options.escalation?.interrupted ?? "5 seconds")
  })
  const policy = Schedule.toStepWithSleep(options.restart ?? defaultRestart)

  /**
   * Keeps a slot filled: one thread after another, as the policy says. `first` is told how the first one began. What nobody is told of
   * otherwise is logged.
   */
  const keep = Effect.fnUntraced(function* (slot: Slot, first: First) {
    let step = yield* policy
    while (true) {
      const { error, proven, told } = yield* life(slot, Deferred.succeed(first.began, undefined))
      const neverBegan = yield* Deferred.fail(first.began, error)
      if (!(neverBegan ? first.isAwaited : told)) yield* Effect.logWarning(error.message)
      if (neverBegan && !first.isAwaited) {
        pool.board.countUnborn()
        // The next call that finds no idle thread would ask for another at once.
        yield* Effect.sleep(growthPause)
      }
      if (neverBegan) return pool.remove(slot)
      if (proven) step = yield* policy
      const next = yield* Effect.exit(step(error))
      if (Exit.isFailure(next)) return pool.giveUp(slot, new HostCallError.NoThread({ detail: error.message }))
    }
  })
  const fill = (isAwaited: boolean): First["began"] => {
    const began = Deferred.makeUnsafe<void, Thread.ThreadError>()
    const slot = pool.add()
    slot.fiber = Fiber.runIn(runFork(keep(slot, { began, isAwaited })), scope)
    return began
  }

  const firsts = Array.from({ length: min }, () => fill(true))
  yield* Effect.forEach(firsts, (first) => Deferred.await(first), { concurrency: "unbounded", discard: true })
  if (min < max) {
    const sweep = Effect.sync(() => {
      for (const slot of pool.idleSlots()) slot.fiber!.interruptUnsafe()
    })
    yield* Effect.forkIn(Effect.forever(Effect.andThen(Effect.sleep(idleTime), sweep)), scope)
  }
  const watcher = yield* Effect.cached(Scope.provide(threads.watcher ?? Effect.succeed(undefined), yield* Effect.scope))
  return HostPool.fromBackend<R>(contract, ThreadBackend.make(pool, codecs, logLevel, watcher))
})

/** How the first thread of a slot began. */
interface First {
  readonly began: Deferred.Deferred<void, Thread.ThreadError>
  readonly isAwaited: boolean
}

const defaultRestart: Schedule.Schedule<unknown> = Schedule.concat(
  Schedule.recurs(1),
  Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])
)

/** How long a pool does not grow after a thread that would have been one more could not begin. */
const growthPause = "1 second"

const sizeOf = (size: NonNullable<Options<unknown>["size"]>) => {
  const { idleTime, max, min } = typeof size === "number" ? { min: size, max: size, idleTime: undefined } : size
  Count.finite("size.min", min, 1)
  Count.finite("size.max", max, min)
  // With no pause at all the event loop would do nothing but to look who is idle.
  return { min, max, idleTime: Duration.max(Duration.fromInputUnsafe(idleTime ?? "10 seconds"), Duration.millis(1)) }
}

/** A value that its own schema refuses is a bug of the caller's. */
const initialOf = <Self, R extends Rpc.Any, Init>(contract: HostPool.Any<Self, R, Init>, value: Init) => {
  const bytes = Codec.encodeToBytes(contract.initialCodec, value, Codec.longest)
  return Result.isSuccess(bytes) ? Effect.succeed(bytes.success) : Effect.die(bytes.failure.under("initial"))
}
