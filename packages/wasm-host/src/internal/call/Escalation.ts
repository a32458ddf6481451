/**
 * What is done about a guest that keeps a call whose caller has left, step by step, and each step is told of.
 *
 * At once, by `Entered.abandon`, the call's host functions are interrupted, and the guest is answered for those that have ended. After the grace
 * time it is answered for the others, too. When there is none of those, and the guest is on the stack in an entry for
 * nobody who waits, and still is a grace time later, its thread is ended, with all of its guests: nothing else stops it.
 * That is looked for until the thread has come to all that it was answered: until then it may yet be entered for that.
 */
import type * as Duration from "effect/Duration"
import type { Call } from "./Call.ts"
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

/** The caller of `call` has left, which `instance` has begun, or will. Owned by the guest's timer, and ends with it. */
export const start = (
  guest: SupervisedGuest,
  call: Call,
  instance: Instance,
  entered: Entered,
  departure: Departure
): void => {
  // Nothing to answer, and no thread to end.
  if (instance.inCallingThread && entered.hostCalls.size === 0) return
  // One that has not begun is held up by another, whose caller may have left a moment ago.
  const { interrupted, overdue } = guest.gate.grace
  const grace = entered.hasBegun ? guest.gate.grace[departure] : Math.max(interrupted, overdue)
  const name = guest.nameOf(call.index)
  let stray = instance.strayEntry()
  /** Of what the guest was last answered. */
  let receipt: Receipt | undefined

  const look = () => {
    const answered = entered.hostCalls.members.filter((hostCall) => hostCall.answerInterrupted())
    if (answered.length > 0) {
      const hostFunctions = answered.map(({ signature }) => signature.name)
      guest.onEvent({ _tag: "Answered", function: name, hostFunctions })
      receipt = undefined
      return lookLater()
    }
    if (instance.dead !== undefined) return
    receipt ??= instance.receipt()
    const { isThere } = receipt
    const seen = instance.strayEntry()
    if (seen === undefined && isThere) return
    if (seen === undefined || seen !== stray) {
      stray = seen
      return lookLater()
    }
    const detail = `the guest did not return to ${guest.plugin}.${name}, which was ${departure} more than ${grace} ms ago`
    if (instance.terminate(detail)) guest.onEvent({ _tag: "Terminated", function: name, detail })
  }
  const lookLater = () => guest.timer.add({ dueAt: guest.timer.now + grace, due: look })
  lookLater()
}
