/**
 * What an executor says of the calls to its guests: how many, how long, and what is done about a guest that keeps one
 * whose caller has left. The executor's, and shared by all of its guests.
 */
import type * as Admission from "@fiberhost/core/Admission"
import * as Duration from "effect/Duration"
import type { Departure, Escalation } from "./Escalation.ts"

/** What callers do when the executor is full: wait, or fail with `NoRoom`. */
export type WhenFull = "suspend" | "fail"

export interface CallGate {
  readonly admission: Admission.Admission
  readonly whenFull: WhenFull
  /** How long a call may take whose function has no `Abi.Deadline`, in milliseconds; `Infinity` for as long as it takes. */
  readonly deadline: number
  /** In milliseconds. */
  readonly grace: { readonly [D in Departure]: number }
  /** Told of each call with a deadline, where nothing can stop a guest: what warns of the first. */
  readonly onDeadline: (() => void) | undefined
}

export interface Options {
  /** What a call finds when as many wait already: it suspends its caller (the default), or fails with `NoRoom`. */
  readonly whenFull?: WhenFull
  /**
   * How long a call may take whose function has no `Abi.Deadline`: waiting for room, in the guest and in host functions.
   * Default: as long as it takes.
   */
  readonly deadline?: Duration.Input
  /** How long a guest may keep a call whose caller has left, before more is done about it. */
  readonly escalation?: Escalation
}

export const make = (admission: Admission.Admission, options: Options, onDeadline?: () => void): CallGate => ({
  admission,
  whenFull: options.whenFull ?? "suspend",
  deadline: options.deadline === undefined ? Infinity : Duration.toMillis(options.deadline),
  grace: {
    interrupted: Duration.toMillis(options.escalation?.interrupted ?? "1 second"),
    overdue: Duration.toMillis(options.escalation?.overdue ?? "50 millis")
  },
  onDeadline
})
