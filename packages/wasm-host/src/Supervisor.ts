/**
 * What is done when a guest dies or wears out: how it is replaced, how often, and when that is given up.
 *
 * A policy belongs to a plugin: `Plugin.layer({ module, supervisor: {} })`. Without one a dead guest
 * stays dead, and its calls fail. A replacement is a new instance: **the state that the guest had is lost**, and
 * `onReplace` of the plugin is where to give it another. A call that had not begun goes to the replacement; one that had
 * is never repeated, unless its contract says that it may be (`Abi.Idempotent`).
 */
import * as Count from "@fiberhost/core/Count"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as GuestError from "./GuestError.ts"

export interface Policy {
  /**
   * Asked each time that a guest has died, and each time that its replacement could not be made: its delay is waited
   * for, and when it is done the supervisor gives up, for good; or, where the guest is alive and was to be recycled, keeps
   * it. Default: `intensity()`.
   */
  readonly replace?: Schedule.Schedule<unknown, GuestError.Reason>
  /** When a guest that is alive is replaced: the new instance takes all new calls, the old one ends with its last call. */
  readonly recycle?: Recycle
  /** Instances that are kept ready, so that a replacement need not be made first: 0 or more. Default: 0. */
  readonly warm?: number
  /** How often an idempotent call that died with its guest is begun again: 0 or more, or `Infinity`. Default: 1. */
  readonly retries?: number
}

/** Each is a reason of its own. Counts are integers of at least 1, or `Infinity`. Default: none. */
export interface Recycle {
  /** So many calls have been given to it. */
  readonly calls?: number
  /** It has had no call for so long (and less than twice that), longer than 0. One that was never called is not recycled. */
  readonly idle?: Duration.Input
  /** Its linear memory is larger, in bytes. Memory never shrinks, so this is the guest's high-water mark. */
  readonly memory?: number
  /** So many of its futures will never be answered, because a host function had no answer and no Err for that. */
  readonly abandoned?: number
}

/** What happens to one guest of a plugin. `instance` is its place among the plugin's instances, from 0. */
export type Event = { readonly instance: number } & Incident

export type Incident =
  /** It died. Its calls have failed, but for those that wait for its replacement. */
  | { readonly _tag: "Died"; readonly reason: GuestError.Reason }
  /** A replacement takes its calls. */
  | { readonly _tag: "Replaced" }
  /** As `Replaced`, while the old instance is alive; `because` says what had worn out. */
  | { readonly _tag: "Recycled"; readonly because: string }
  /** A replacement could not be made, or its `onReplace` failed (`OnReplaceFailed`). */
  | { readonly _tag: "ReplacementFailed"; readonly reason: GuestError.Reason }
  /** No replacement will come for a guest that wore out: it goes on as it is, and is not recycled any more. */
  | { readonly _tag: "Kept"; readonly reason: GuestError.Reason }
  /** No replacement will come: every call fails from now on. */
  | { readonly _tag: "GaveUp"; readonly reason: GuestError.Reason }
  /** A caller left, and these host functions of its call had not ended within the grace time: the guest was answered for them. */
  | { readonly _tag: "Answered"; readonly function: string; readonly hostFunctions: ReadonlyArray<string> }
  /** A caller left, and its guest did not come back within the grace time: its thread is ended. */
  | { readonly _tag: "Terminated"; readonly function: string; readonly detail: string }

/**
 * Replaces at once, and then ever later, at most `restarts` times `within` a time: a guest that dies of itself is given
 * up, and one that dies now and then never is. Defaults: 5 times within a minute, delays from 10 ms that double up to
 * `maxDelay`, 5 seconds; they begin anew when nothing has died for as long as `within`. Throws a `RangeError` when `restarts`
 * is no integer of at least 0, and not `Infinity`.
 */
export const intensity = (
  options: { readonly restarts?: number; readonly within?: Duration.Input; readonly maxDelay?: Duration.Input } = {}
): Schedule.Schedule<number, unknown> => {
  const restarts = Count.orInfinity("restarts", options.restarts ?? 5, 0)
  const within = Duration.toMillis(options.within ?? "1 minute")
  const maxDelay = Duration.toMillis(options.maxDelay ?? "5 seconds")
  return Schedule.fromStep(
    Effect.sync(() => {
      let recent: ReadonlyArray<number> = []
      return (now: number) => {
        recent = recent.filter((time) => now - time < within)
        if (recent.length >= restarts) return Cause.done(recent.length)
        const delay = recent.length === 0 ? 0 : Math.min(maxDelay, 10 * 2 ** (recent.length - 1))
        recent = [...recent, now]
        return Effect.succeed<[number, Duration.Duration]>([recent.length, Duration.millis(delay)])
      }
    })
  )
}
