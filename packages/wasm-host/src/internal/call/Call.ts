/**
 * A call of a guest function, from its caller's point of view: one question, one answer, whichever instance gives it.
 *
 * It belongs to the caller's fiber, which waits for it without a fiber of its own, and settles once: with the guest's
 * answer, with why there is none, or when its deadline comes. Interrupting the caller settles it at once. What the guest
 * still does for a caller that has left is nobody's: its host functions are interrupted, and a late answer is dropped.
 */
import type * as Admission from "@fiberhost/core/Admission"
import * as Deadline from "@fiberhost/core/Deadline"
import * as Foreign from "@fiberhost/core/Foreign"
import type { Line, Member } from "@fiberhost/core/Line"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import { isNoAnswer } from "../guest/DirectCall.ts"
import type { Caller } from "../guest/GuestCall.ts"
import { type GuestCodec, passBytes, type Raws, type TypedExit } from "../guest/GuestCodec.ts"
import * as StackRoom from "../guest/StackRoom.ts"
import type { GuestMemory } from "../memory/GuestMemory.ts"
import type { CallObservation, CallObserver } from "./CallObserver.ts"
import type * as Escalation from "./Escalation.ts"
import type { Item } from "./GuestTimer.ts"
import type { Entered } from "./Instance.ts"
import type { SupervisedGuest } from "./SupervisedGuest.ts"
import { type EntrySpan, sharedNow, type Usage } from "./Usage.ts"

/** The Effect that calls a guest function with this payload; each run is a call of its own. */
export const run = (guest: SupervisedGuest, index: number, payload: unknown): Effect.Effect<unknown, unknown> =>
  guest.functionOf(index).isDirect ? new DirectRun(guest, index, payload) : runWholly(guest, index, payload)

/**
 * The call of a sync function: on the caller's stack, if that can be. A class, and not an `Effect.callback` or `Effect.suspend`, which
 * make closures besides: it is all that such a call makes. `asEffect` makes the call, so only the fiber that runs it calls that.
 */
class DirectRun extends Effectable.Class<unknown, unknown> {
  private readonly guest: SupervisedGuest
  private readonly index: number
  private readonly payload: unknown

  constructor(guest: SupervisedGuest, index: number, payload: unknown) {
    super()
    this.guest = guest
    this.index = index
    this.payload = payload
  }

  asEffect(): Effect.Effect<unknown, unknown> {
    const { guest, index, payload } = this
    const { context } = Fiber.getCurrent()!
    if (guest.deadlineOf(context) !== Infinity) return runWholly(guest, index, payload)
    const outcome = guest.callDirectly(index, payload, context)
    if (!isNoAnswer(outcome)) return Exit.succeed(outcome)
    return outcome.exit ?? runWholly(guest, index, payload)
  }

  // By what it refers to it would be compared with the whole guest, and by reading all of its getters.
  [Equal.symbol](that: unknown): boolean {
    return this === that
  }

  [Hash.symbol](): number {
    return Hash.random(this)
  }
}

/**
 * The call, step by step, in the caller's fiber: room in the executor, an instance, the way into its guest and back. What it waits on
 * are callbacks, so a call that is answered at once costs no turn.
 */
const runWholly = (guest: SupervisedGuest, index: number, payload: unknown): Effect.Effect<unknown, unknown> =>
  Effect.callback((resume) => {
    // A stack that ended on the way would leave the call, and its guest, in between.
    StackRoom.check()
    // It is registered in the caller's fiber, so this is its context.
    const call = new Call(guest, index, payload, Fiber.getCurrent()!.context, resume)
    begin(call)
    return call.isSettled ? undefined : call
  })

const begin = (call: Call): void => {
  const { gate, over, timer } = call.guest
  const refusal = call.guest.refusal(call.context)
  if (refusal !== undefined) return call.fail(refusal)
  if (over !== undefined) return call.fail(over)
  if (call.dueAt !== Infinity) {
    gate.onDeadline?.()
    if (call.dueAt <= timer.now) return call.due()
    timer.add(call)
  }
  admit(call)
}

/** Room in the executor: the call enters an instance once, now or when its turn comes. */
const admit = (call: Call): void => {
  const { admission, whenFull } = call.guest.gate
  const permit = whenFull === "fail" ? admission.tryEnter(call.context) : admission.request(call.context)
  if (permit === "NoRoom") return call.fail(new GuestError.NoRoom({ capacity: admission.capacity }))
  if (permit === "Closed") return call.fail(GuestError.closed)
  call.permit = permit

  if (permit.state === "Active") return call.guest.enter(call)
  call.wait(call.guest.outside)
  permit.onChange = () => {
    if (permit.state === "Refused") return call.fail(GuestError.closed)
    if (permit.state !== "Active") return
    // Two changes in one turn are told twice, and a call enters once.
    permit.onChange = undefined
    call.guest.enter(call)
  }
}

/** A call that begins nowhere and fails with `reason`: whoever observes calls is told of it. */
export const refuse = (
  guest: SupervisedGuest,
  index: number,
  payload: unknown,
  reason: GuestError.Reason
): Effect.Effect<unknown, unknown> =>
  Effect.withFiber((fiber) =>
    Effect.callback((resume) => new Call(guest, index, payload, fiber.context, resume).fail(reason))
  )

/**
 * As an Effect it is the one that interrupts it, so that a call which waits needs no other object for that. Whoever runs or yields it
 * ends it.
 */
export class Call extends Effectable.Class<void> implements Caller, Item, Member<Call> {
  previous: Call | undefined = undefined
  next: Call | undefined = undefined
  timerIndex = -1
  readonly guest: SupervisedGuest
  readonly index: number
  readonly payload: unknown
  /** What it runs in: the caller's, with the call's own deadline and what observes it. */
  context: Context.Context<never>
  /** In milliseconds of Effect's `Clock`; `Infinity` without one. */
  readonly dueAt: number
  permit: Admission.Permit | undefined
  /** Its place among the admitted calls of its guest; 0 before. */
  place = 0
  /** Where it waits while no instance has it. */
  line: Line<Call> | undefined
  /** Who looks after the instance that has taken it, and what it is there. */
  watch: Escalation.Watch | undefined
  entered: Entered | undefined
  /** Times that it was begun by an instance that died. */
  attempts = 0
  /**
   * Of a measured call: when it began, by Effect's `Clock`, which its deadline is of, and by the clock that all threads
   * share, which tells when a guest's thread came to it.
   */
  private startedAt = 0
  private startedOnSharedClock = 0
  /** What it spent before it was begun again. */
  private earlier = unspent
  private observation: CallObservation | undefined
  private resume: ((exit: TypedExit) => void) | undefined
  private encoded: ReadonlyArray<Uint8Array> | undefined

  constructor(
    guest: SupervisedGuest,
    index: number,
    payload: unknown,
    context: Context.Context<never>,
    resume: (exit: TypedExit) => void
  ) {
    super()
    this.guest = guest
    this.index = index
    this.payload = payload
    this.resume = resume
    const inherited = guest.deadlineOf(context)
    const allowed = guest.functionOf(index).allowed
    this.context = allowed === Infinity ? context : Deadline.add(context, allowed)
    this.dueAt = this.context === context ? inherited : Context.get(this.context, Deadline.Current)
    if (this.isMeasured) {
      this.startedAt = Deadline.now(context)
      this.startedOnSharedClock = sharedNow()
    }
    if (guest.observer !== undefined) {
      this.observation = guest.observer.onCall(this)
      this.context = this.observation.context
    }
    guest.inHand++
  }

  /** Whether it is known afterwards how long it spent where. */
  get isMeasured(): boolean {
    return this.dueAt !== Infinity || this.observer !== undefined
  }

  /** Who is told of it, and of each of its entries. */
  get observer(): CallObserver | undefined {
    return this.guest.observer
  }

  get isSettled(): boolean {
    return this.resume === undefined
  }

  get codec(): GuestCodec {
    return this.guest.functionOf(this.index).codec
  }

  wait(line: Line<Call>): void {
    this.line = line
    line.push(this)
  }

  /** It waits no longer, if it did. */
  stopWaiting(): void {
    this.line?.remove(this)
    this.line = undefined
  }

  /** Told by an instance: how the call ended there. One that has not begun can be taken by the next instance. */
  exited(exit: TypedExit, hasBegun: boolean): void {
    if (this.resume === undefined) return
    if (Exit.isFailure(exit) && this.guest.takesBack(this, exit, hasBegun)) return
    this.settle(exit)
  }

  /** It does not enter its guest at once, and its caller may write to the payload meanwhile. Whether it goes on. */
  keep(): boolean {
    const encoded = this.codec.encode(this.payload)
    if (Result.isSuccess(encoded)) this.encoded = encoded.success
    else this.fail(encoded.failure)
    return Result.isSuccess(encoded)
  }

  pass(memory: GuestMemory): Raws {
    return this.encoded === undefined
      ? this.codec.pass(this.payload, memory)
      : passBytes(this.codec.signature, this.encoded, memory)
  }

  take(answer: number | bigint | undefined, memory: GuestMemory): TypedExit {
    return this.codec.take(answer, memory)
  }

  fail(reason: GuestError.Reason): void {
    this.settle(this.codec.fail(reason))
  }

  /** Its deadline has come. */
  due(): void {
    this.fail(new GuestError.DeadlineExceeded(this.spent()))
    this.abandon("overdue")
  }

  /** Run by the caller's fiber when that is interrupted. */
  asEffect(): Effect.Effect<void> {
    this.interrupt()
    return Effect.void
  }

  private interrupt(): void {
    if (this.resume === undefined) return
    this.leave()
    this.observation?.end(Exit.interrupt())
    this.abandon("interrupted")
  }

  /** The instance that had begun it died, and another one begins it anew. */
  beginAgain(): void {
    this.attempts++
    if (!this.isMeasured) return
    this.told(this.entered?.usage?.spans ?? [])
    this.earlier = this.spent()
    this.startedAt = Deadline.now(this.context)
    this.startedOnSharedClock = sharedNow()
  }

  /**
   * Of a measured call: where it is, and how many milliseconds it has spent where. `inHost` is the time that it was not
   * on the guest's stack and a host function of its had not ended, `inGuest` all other time since it was begun.
   */
  spent(): Spent {
    const { earlier, entered } = this
    const total = Deadline.now(this.context) - this.startedAt
    const usage = entered?.usage
    if (usage === undefined || usage.begunAt === 0) {
      return { ...earlier, phase: "waiting", waiting: earlier.waiting + total }
    }
    const now = sharedNow()
    const waiting = Math.min(total, Math.max(0, usage.begunAt - this.startedOnSharedClock))
    const onStack = usage.inside + (usage.enteredAt === 0 ? 0 : now - usage.enteredAt)
    // Effect's clock may be a test's, and threads have the shared one: what is off the stack by the first is split as by the second.
    const off = Math.max(0, total - waiting - onStack)
    const inHost = off * shareOf(usage, now - usage.begunAt - onStack, now)
    return {
      phase: usage.hostSince === 0 ? "guest" : "host",
      waiting: earlier.waiting + waiting,
      inGuest: earlier.inGuest + total - waiting - inHost,
      inHost: earlier.inHost + inHost
    }
  }

  /** Entries that are known only now, or will not be known when it ends. */
  told(entries: ReadonlyArray<EntrySpan>): void {
    if (entries.length > 0) this.observation?.entries(entries)
  }

  private abandon(departure: Escalation.Departure): void {
    const { entered } = this
    if (entered === undefined) return
    entered.abandon()
    this.guest.retire()
    this.watch!.add(this, entered, departure)
  }

  private settle(exit: TypedExit): void {
    const resume = this.resume
    if (resume === undefined) return
    this.leave()
    this.observation?.end(exit)
    Foreign.tell(resume, exit)
  }

  private leave(): void {
    this.resume = undefined
    this.guest.left(this)
    this.permit?.leave()
  }
}

/** Where a call is, and how many milliseconds it has spent where. */
interface Spent {
  readonly phase: GuestError.Phase
  readonly waiting: number
  readonly inGuest: number
  readonly inHost: number
}

const unspent: Spent = { phase: "waiting", waiting: 0, inGuest: 0, inHost: 0 }

/** How much of the time off the stack was host functions': from 0 to 1. */
const shareOf = (usage: Usage, off: number, now: number): number => {
  const inHost = usage.inHost + (usage.hostSince === 0 ? 0 : now - usage.hostSince)
  return off > inHost ? inHost / off : Math.sign(inHost)
}
