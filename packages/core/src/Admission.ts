/**
 * The gate in front of an executor: how many tasks are active at once, how many may wait, and who is next.
 *
 * An admission owns counts and two first-in-first-out lines, never fibers. While there is room, entering is a counter
 * increment and one small object. Whoever enters holds a {@link Permit} and gives it back with `leave`, once or more
 * often, from any state. An admission needs no scope: it ends when nobody refers to it.
 *
 * Invariants, true whenever no method of this module is on the stack:
 * - somebody waits only while `concurrency` tasks are active;
 * - somebody is suspended only while `capacity` entrants wait, and nobody is while the admission drains or is closed;
 * - a permit counts in exactly one place: active, nested, waiting, suspended, or none.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as ContextReader from "./ContextReader.ts"
import * as Count from "./Count.ts"
import { tell } from "./Foreign.ts"
import { Line } from "./Line.ts"

/** `concurrency` tasks are active and `capacity` wait: `waiting` is how many did when the entrant was refused. */
export class NoRoom extends Schema.TaggedError<NoRoom>("@fiberhost/core/NoRoom")("NoRoom", {
  capacity: Schema.Number,
  waiting: Schema.Number
}) {
  override get message(): string {
    return `${this.waiting} tasks wait and the capacity is ${this.capacity}`
  }
}

/** The admission drains or is closed: it takes nothing new. */
export class Closed extends Schema.TaggedError<Closed>("@fiberhost/core/Closed")("Closed", {}) {
  override get message(): string {
    return "drained or closed"
  }
}

/** Why {@link Admission.tryEnter} gave no permit. */
export type Refusal = "NoRoom" | "Closed"

/** How many hold a permit and how many want one. `nested` entrants are admitted outside `concurrency`. */
export interface Stats {
  readonly active: number
  readonly nested: number
  readonly waiting: number
  readonly suspended: number
}

/** Both are counts: integers or `Infinity`. */
export interface Options {
  /** How many tasks may be active at once, 1 or more. Default: unbounded. */
  readonly concurrency?: number | undefined
  /** How many may wait in line, 0 or more. Default: 100. */
  readonly capacity?: number | undefined
}

/**
 * - `Suspended`: wants a place in the waiting line, which is full.
 * - `Waiting`: has a place in the waiting line.
 * - `Active`: may run.
 * - `Left`: given back by its holder.
 * - `Refused`: the admission drained or closed before the permit's turn came.
 */
export type PermitState = "Suspended" | "Waiting" | "Active" | "Left" | "Refused"

/** One entrant's claim on an admission, from its entry until `leave`. */
export interface Permit {
  readonly state: PermitState
  /**
   * Called after `state` moved on without the holder's doing. It runs from the scheduler, never inside somebody's
   * `leave` or `close`, so the state it finds may be a later one than that which caused the call.
   */
  onChange: ((permit: Permit) => void) | undefined
  /** Gives the permit or the place back, at once, and lets the next in. Later calls do nothing. */
  leave(): void
}

/** Turns interruption on again: what `Effect.uninterruptibleMask` hands out. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export interface Admission {
  readonly concurrency: number
  readonly capacity: number
  readonly stats: Stats
  /** Open, with no `concurrency` limit: who comes and goes on one stack need not enter, and is not counted. */
  readonly admitsAll: boolean
  /**
   * Enters now: a permit that is `Active`, or `Waiting` if there is a place in the line. `context` is that of the
   * entering fiber; it says which tasks the fiber runs under (see {@link Current}).
   */
  tryEnter(context: Context.Context<never>): Permit | Refusal
  /** As `tryEnter`, but a full line gives a `Suspended` permit; only a closed admission refuses. */
  request(context: Context.Context<never>): Permit | "Closed"
  /**
   * Enters, waiting for its turn: the permit it succeeds with is `Active`.
   *
   * Call it where interruption is off, as the acquisition of a resource, and pass what turns it on again: then only the
   * waiting can be interrupted, and neither the place nor the permit is lost.
   */
  enter(restore?: Restore): Effect.Effect<Permit, Closed>
  /** Runs an effect as an active task, in the calling fiber. */
  use<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Closed, R>
  /** Refuses everything from now on, and those who wait or are suspended. Active tasks go on: their owner stops them. */
  close(): void
  /**
   * Takes nothing new, refuses the suspended, lets the waiting in, and completes when none is active or waiting. After
   * `close` it only awaits the active ones. In a fiber of an active task, for which it would wait forever, it completes
   * at once.
   */
  readonly drain: Effect.Effect<void>
}

/**
 * The innermost permit that the current fiber's task holds; forked fibers inherit it. It leads to those of the tasks
 * around it. An entry under an active permit of the same admission is *nested*: admitted at once, outside `concurrency`
 * and `capacity`, also while draining, so that a task that waits for a task of its own cannot deadlock.
 *
 * A fiber that outlives its task enters as anybody else: a permit that was given back admits nobody.
 */
export const Current: Context.Reference<Permit | undefined> = Context.Reference("@fiberhost/core/Admission/Current", {
  defaultValue: (): Permit | undefined => undefined
})

/** The context for what runs on behalf of the permit's holder. */
export const provide = <R>(context: Context.Context<R>, permit: Permit): Context.Context<R> =>
  Context.add(context, Current, permit) as Context.Context<R>

/** Throws a `RangeError` if an option is not a count. */
export const make = (options?: Options): Admission =>
  new AdmissionImpl(
    Count.orInfinity("concurrency", options?.concurrency ?? Infinity, 1),
    Count.orInfinity("capacity", options?.capacity ?? defaultCapacity, 0)
  )

class AdmissionImpl implements Admission {
  readonly concurrency: number
  readonly capacity: number
  readonly waiting = new Line<PermitImpl>()
  readonly suspended = new Line<PermitImpl>()
  private readonly currentOf = ContextReader.make(Current)
  readonly dispatcher = Context.get(Context.empty(), Scheduler.Scheduler).makeDispatcher()
  active = 0
  nested = 0
  phase: "Open" | "Draining" | "Closed" = "Open"
  idle: Deferred.Deferred<void> | undefined = undefined

  constructor(concurrency: number, capacity: number) {
    this.concurrency = concurrency
    this.capacity = capacity
  }

  get stats(): Stats {
    return { active: this.active, nested: this.nested, waiting: this.waiting.size, suspended: this.suspended.size }
  }

  get admitsAll(): boolean {
    return this.phase === "Open" && this.concurrency === Infinity
  }

  tryEnter(context: Context.Context<never>): PermitImpl | Refusal {
    const outer = this.outerOf(context)
    const nested = outer !== undefined && isUnder(outer, this)
    if (this.phase !== "Open" && (this.phase === "Closed" || !nested)) return "Closed"
    if (nested) {
      this.nested++
      return new PermitImpl(this, outer, "Active", true)
    }
    if (this.active < this.concurrency) {
      this.active++
      return new PermitImpl(this, outer, "Active", false)
    }
    if (this.waiting.size >= this.capacity) return "NoRoom"
    return this.waiting.push(new PermitImpl(this, outer, "Waiting", false))
  }

  request(context: Context.Context<never>): PermitImpl | "Closed" {
    const entry = this.tryEnter(context)
    return entry === "NoRoom"
      ? this.suspended.push(new PermitImpl(this, this.outerOf(context), "Suspended", false))
      : entry
  }

  enter(restore: Restore = identity): Effect.Effect<Permit, Closed> {
    return Effect.withFiber((fiber) => {
      const permit = this.request(fiber.context)
      if (permit === "Closed") return Effect.fail(new Closed())
      return permit.state === "Active" ? Effect.succeed(permit) : turn(permit, restore)
    })
  }

  use<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Closed, R> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber) => {
        const permit = this.request(fiber.context)
        if (permit === "Closed") return Effect.fail(new Closed())
        const run = Effect.onExitPrimitive(
          restore(Effect.updateContext(effect, (context: Context.Context<R>) => provide(context, permit))),
          () => void permit.leave(),
          true
        )
        return permit.state === "Active" ? run : Effect.andThen(turn(permit, restore), run)
      })
    )
  }

  close(): void {
    this.phase = "Closed"
    this.refuse(this.waiting)
    this.refuse(this.suspended)
    this.settle()
  }

  get drain(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (this.phase === "Open") this.phase = "Draining"
      this.refuse(this.suspended)
      const outer = this.outerOf(fiber.context)
      if (this.isIdle || (outer !== undefined && isUnder(outer, this))) return Effect.void
      return Deferred.await((this.idle ??= Deferred.makeUnsafe()))
    })
  }

  get isIdle(): boolean {
    return this.active === 0 && this.nested === 0 && this.waiting.size === 0
  }

  /** The permit of the task that a fiber runs in. Every permit is one of these. */
  private outerOf(context: Context.Context<never>): PermitImpl | undefined {
    return this.currentOf(context) as PermitImpl | undefined
  }

  /** Called by a permit that leaves `state`. */
  release(permit: PermitImpl, state: PermitState): void {
    if (state === "Waiting") this.waiting.remove(permit)
    else if (state === "Suspended") this.suspended.remove(permit)
    else if (permit.nested) this.nested--
    else this.active--
    this.settle()
  }

  /** Restores the invariants after a count or a line became shorter. */
  private settle(): void {
    while (this.active < this.concurrency) {
      const next = this.waiting.shift() ?? this.suspended.shift()
      if (next === undefined) break
      this.active++
      this.change(next, "Active")
    }
    while (this.suspended.size > 0 && this.waiting.size < this.capacity) {
      this.change(this.waiting.push(this.suspended.shift()!), "Waiting")
    }
    if (this.idle !== undefined && this.isIdle) {
      const idle = this.idle
      this.idle = undefined
      this.dispatcher.scheduleTask(() => Deferred.doneUnsafe(idle, Effect.void), 0)
    }
  }

  private refuse(line: Line<PermitImpl>): void {
    for (let next = line.shift(); next !== undefined; next = line.shift()) this.change(next, "Refused")
  }

  private change(permit: PermitImpl, state: PermitState): void {
    permit.state = state
    // Two changes before the scheduler's turn are told by two calls that find the same state.
    this.dispatcher.scheduleTask(() => {
      if (permit.onChange !== undefined) tell(permit.onChange, permit)
    }, 0)
  }
}

class PermitImpl implements Permit {
  readonly admission: AdmissionImpl
  readonly nested: boolean
  state: PermitState
  outer: PermitImpl | undefined
  onChange: ((permit: Permit) => void) | undefined = undefined
  previous: PermitImpl | undefined = undefined
  next: PermitImpl | undefined = undefined

  constructor(admission: AdmissionImpl, outer: PermitImpl | undefined, state: PermitState, nested: boolean) {
    this.admission = admission
    this.outer = outer
    this.state = state
    this.nested = nested
  }

  leave(): void {
    const state = this.state
    if (state === "Left" || state === "Refused") return
    this.state = "Left"
    this.onChange = undefined
    this.unlink()
    this.admission.release(this, state)
  }

  /**
   * Leaves out permits around it that were given back. Done where it is looked at, and once it leaves, or a task that starts its
   * successor and ends, over and over, would keep all of its ancestors.
   */
  unlink(): void {
    while (this.outer !== undefined && this.outer.state !== "Active") this.outer = this.outer.outer
  }
}

/** Waits until the permit is active, and leaves if that does not come true: interrupted or refused. */
const turn = (permit: PermitImpl, restore: Restore): Effect.Effect<Permit, Closed> =>
  // The guard is around what can be interrupted. A callback's own clean-up would be gone by the time that a fiber which
  // yields between two steps is interrupted with the permit in its hand.
  Effect.onExitPrimitive(
    restore(
      Effect.callback<Permit, Closed>((resume) => {
        const look = () => {
          if (permit.state === "Active") resume(Effect.succeed(permit))
          else if (permit.state === "Refused") resume(Effect.fail(new Closed()))
        }
        permit.onChange = look
        look()
      })
    ),
    (exit) => (Exit.isFailure(exit) ? void permit.leave() : undefined)
  )

/** Whether `permit` or one around it is an active one of `admission`. */
const isUnder = (permit: PermitImpl, admission: AdmissionImpl): boolean => {
  for (let inner: PermitImpl | undefined = permit; inner !== undefined; inner = inner.outer) {
    inner.unlink()
    if (inner.admission === admission && inner.state === "Active") return true
  }
  return false
}

/** How many may wait, unless it is said. */
export const defaultCapacity = 100
