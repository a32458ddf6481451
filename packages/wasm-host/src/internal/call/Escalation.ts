/**
 * What is done about a guest that keeps calls whose callers have left, step by step, and each step is told of.
 *
 * At once, by `Entered.abandon`, a call's host functions are interrupted, and the guest is answered for those that have ended. After the grace
 * time it is answered for the others, too. When there is none of those, and the guest is on the stack in an entry for
 * nobody who waits, and still is a grace time later, its thread is ended, with all of its guests: nothing else stops it.
 * That is looked for until the thread has come to all that it was answered: until then it may yet be entered for that.
 */
import type * as Duration from "effect/Duration"
import type { Call } from "./Call.ts"
import type { Item } from "./GuestTimer.ts"
import type { Entered, Instance, Receipt } from "./Instance.ts"
import type { SupervisedGuest } from "./SupervisedGuest.ts"

/** Grace times. */
export interface Escalation {
  /** After an interruption. Default: 1 second. */
  readonly interrupted?: Duration.Input
  /** After a deadline. Default: 50 milliseconds. */
  readonly overdue?: Duration.Input
}

/** Why a caller has left. */
export type Departure = keyof Escalation

/** A call whose caller has left. */
interface LeftCall {
  readonly name: string
  readonly entered: Entered
  readonly departure: Departure
  /** In milliseconds. */
  readonly grace: number
}

/**
 * Watches one instance of a guest, for all calls whose callers have left: while its thread is busy for somebody who waits
 * they may be thousands, and what is looked at is one thread. Ends with the guest's timer.
 */
export class Watch implements Item {
  private readonly guest: SupervisedGuest
  private readonly instance: Instance
  /** Calls whose grace time is over: the guest has been answered for them. */
  private readonly kept: Array<LeftCall> = []
  /** Says that the thread has come to what the first `asked` of them were answered. */
  private receipt: Receipt | undefined
  private asked = 0
  /** The entry on the stack for nobody who waits, and since when it was seen there. */
  private stray: string | undefined
  private straySince = 0
  /** When it looks next. */
  dueAt = Infinity
  timerIndex = -1

  constructor(guest: SupervisedGuest, instance: Instance) {
    this.guest = guest
    this.instance = instance
  }

  /** The caller of `call` has left, which the instance has begun, or will. */
  add(call: Call, entered: Entered, departure: Departure): void {
    // Nothing to answer, and no thread to end.
    if (this.instance.inCallingThread && entered.hostCalls.size === 0) return
    const { gate, timer } = this.guest
    // One that has not begun is held up by another, whose caller may have left a moment ago.
    const { interrupted, overdue } = gate.grace
    const grace = entered.hasBegun ? gate.grace[departure] : Math.max(interrupted, overdue)
    const left: LeftCall = { name: this.guest.nameOf(call.index), entered, departure, grace }
    this.lookAtStack()
    timer.add({ dueAt: timer.now + grace, timerIndex: -1, due: () => this.answer(left) })
  }

  /** The call's grace time is over. What its guest calls from now on is not its own, so what it is answered now is the last. */
  private answer(left: LeftCall): void {
    const answered = left.entered.hostCalls.members.filter((hostCall) => hostCall.answerInterrupted())
    this.kept.push(left)
    // When all whose time is over now have been answered.
    if (answered.length === 0) return this.lookWithin(0)
    // The entry there may count as another now.
    this.lookAtStack()
    this.lookWithin(left.grace)
    const hostFunctions = answered.map(({ signature }) => signature.name)
    this.guest.onEvent({ _tag: "Answered", function: left.name, hostFunctions })
  }

  due(): void {
    this.dueAt = Infinity
    if (this.instance.dead !== undefined) return this.end()
    this.lookAtStack()
    const { kept, stray } = this
    const { now } = this.guest.timer
    const over = stray === undefined ? undefined : kept.findLast(({ grace }) => this.straySince + grace <= now)
    if (over !== undefined) return this.terminate(over)
    if (this.receipt === undefined) {
      this.receipt = this.instance.receipt()
      this.asked = kept.length
    }
    if (this.receipt.isThere && stray === undefined) {
      this.receipt = undefined
      kept.splice(0, this.asked)
    }
    if (kept.length > 0) this.lookWithin(kept.reduce((least, { grace }) => Math.min(least, grace), Infinity))
  }

  private terminate({ departure, grace, name }: LeftCall): void {
    const { guest, instance } = this
    const detail = `the guest did not return to ${guest.plugin}.${name}, which was ${departure} more than ${grace} ms ago`
    if (instance.terminate(detail)) guest.onEvent({ _tag: "Terminated", function: name, detail })
    this.end()
  }

  private end(): void {
    this.receipt = undefined
    this.kept.length = 0
  }

  private lookAtStack(): void {
    const seen = this.instance.strayEntry()
    if (seen === this.stray) return
    this.stray = seen
    this.straySince = this.guest.timer.now
  }

  private lookWithin(milliseconds: number): void {
    const { timer } = this.guest
    const dueAt = timer.now + milliseconds
    if (dueAt >= this.dueAt) return
    timer.remove(this)
    this.dueAt = dueAt
    timer.add(this)
  }
}
