/**
 * Replaces the instance of a guest when it has died or worn out, as its policy says. Owned by the guest's scope: the
 * fiber that replaces, the instances, and those that are kept ready end with it.
 */
import * as Count from "@fiberhost/core/Count"
import * as Foreign from "@fiberhost/core/Foreign"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as GuestError from "../../GuestError.ts"
import * as Supervisor from "../../Supervisor.ts"
import type { Instance } from "./Instance.ts"
import type { Need, SupervisedGuest } from "./SupervisedGuest.ts"

/** An instance in a scope of its own. */
export interface Owned {
  readonly instance: Instance
  readonly close: Effect.Effect<void>
}

export interface Options {
  readonly guest: SupervisedGuest
  readonly policy: Supervisor.Policy
  /** The instance that the guest has now. */
  readonly first: Owned
  /** `onPlace` is told of the instance when it is known where it will live. */
  readonly load: (onPlace: ((instance: Instance) => void) | undefined) => Effect.Effect<Owned, GuestError.GuestError>
  /** Runs on a replacement before any call does. */
  readonly prepare: (instance: Instance) => Effect.Effect<void, GuestError.Reason>
}

/** Throws a `RangeError` when what the policy counts is no count, or a time is none. */
export const check = ({ recycle = {}, retries = 0, warm = 0 }: Supervisor.Policy): void => {
  Count.finite("supervisor.warm", warm, 0)
  const { abandoned = Infinity, calls = Infinity, idle = Infinity, memory = Infinity } = recycle
  // Where it is no time the guest would be replaced all the time.
  const milliseconds = Duration.toMillis(idle)
  if (!(milliseconds > 0)) {
    throw new RangeError(`supervisor.recycle.idle is ${milliseconds} ms: it must be longer`)
  }
  Count.orInfinity("supervisor.retries", retries, 0)
  Count.orInfinity("supervisor.recycle.calls", calls, 1)
  Count.orInfinity("supervisor.recycle.memory", memory, 1)
  Count.orInfinity("supervisor.recycle.abandoned", abandoned, 1)
}

export const start = Effect.fnUntraced(function* ({
  first,
  guest,
  load,
  policy,
  prepare
}: Options): Effect.fn.Return<void, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const needs = yield* Queue.unbounded<Need>()
  const next = yield* Schedule.toStep(policy.replace ?? Supervisor.intensity())
  const warm: Array<Owned> = []
  const wanted = policy.warm ?? 0
  let current = first
  let replacing = false
  /** A guest that wore out and cannot be replaced: it stays until it dies. */
  let kept: Instance | undefined
  let filling = false

  const fill = Effect.suspend(() => {
    // Whoever fills sees what is taken meanwhile.
    if (filling) return Effect.void
    filling = true
    return Effect.gen(function* () {
      while (warm.length < wanted) warm.push(yield* load(undefined))
    }).pipe(
      Effect.catchCause((cause) => Effect.logWarning("no instance could be kept ready", cause)),
      Effect.ensuring(
        Effect.sync(() => {
          filling = false
        })
      )
    )
  })

  const ready = Effect.gen(function* () {
    for (let owned = warm.shift(); owned !== undefined; owned = warm.shift()) {
      if (owned.instance.dead === undefined) {
        guest.place(owned.instance)
        return owned
      }
      yield* Effect.forkIn(owned.close, scope)
    }
    return yield* load((instance) => guest.place(instance))
  })

  /** An instance that can take calls, or why there is none. */
  const replacement = Effect.fnUntraced(function* () {
    const owned = yield* Effect.mapError(ready, ({ reason }) => reason)
    yield* Effect.onError(prepare(owned.instance), () => owned.close)
    return owned
  })

  /** The instance after `old`, however often it takes; undefined when the policy says that there is none. */
  const nextInstance = Effect.fnUntraced(function* (old: Instance) {
    let why = old.dead
    while (true) {
      if (why !== undefined) {
        const reason = why
        // A schedule of the user's own may throw.
        const delay = yield* Effect.suspend(() => next(guest.timer.now, reason)).pipe(
          Effect.tapDefect((defect) => Effect.logError("the supervisor's schedule has a bug", defect)),
          Effect.exit
        )
        if (Exit.isFailure(delay) && old.dead === undefined) {
          kept = old
          guest.onEvent({ _tag: "Kept", reason: why })
          return undefined
        }
        if (Exit.isFailure(delay)) {
          guest.onEvent({ _tag: "GaveUp", reason: why })
          guest.end(new GuestError.GaveUp({ detail: GuestError.describe(why) }))
          return undefined
        }
        yield* Effect.sleep(delay.value[1])
      }
      const owned = yield* Effect.exit(replacement())
      if (Exit.isSuccess(owned)) return owned.value
      guest.place(undefined)
      why = reasonOf(owned.cause)
      // Its executor is closed.
      if (why._tag === "Closed") {
        guest.end(why)
        return undefined
      }
      guest.onEvent({ _tag: "ReplacementFailed", reason: why })
    }
  })

  const replace = Effect.fnUntraced(function* (need: Need) {
    const old = current
    // It has been replaced meanwhile: it died while the next one was made. Or it has been given up.
    if (need.instance !== old.instance || guest.over !== undefined) {
      replacing = false
      return
    }
    const wasAlive = old.instance.dead === undefined
    if (!wasAlive) yield* Effect.forkIn(old.close, scope)
    const owned = yield* nextInstance(old.instance)
    replacing = false
    if (owned !== undefined) {
      current = owned
      // It may have died while the next one was made.
      const isRecycled = need._tag === "Recycled" && old.instance.dead === undefined
      guest.onEvent(isRecycled ? { _tag: "Recycled", because: need.because } : { _tag: "Replaced" })
      guest.use(owned.instance)
      if (wasAlive) yield* Effect.forkIn(Effect.andThen(guest.retired(old.instance), old.close), scope)
    }
    if (guest.over === undefined) yield* Effect.forkIn(fill, scope)
  })

  guest.supervise({
    retries: policy.retries ?? 1,
    isWornOut: (instance) =>
      replacing || instance === kept ? undefined : wornOut(policy.recycle, guest.taken, instance),
    replace: (need) => {
      if (need._tag === "Recycled" && (replacing || need.instance === kept)) return
      replacing = true
      Queue.offerUnsafe(needs, need)
    }
  })
  yield* Effect.forkIn(fill, scope)
  yield* Effect.forkIn(Effect.forever(Effect.flatMap(Queue.take(needs), replace)), scope)
  if (policy.recycle?.idle !== undefined) {
    yield* Effect.forkIn(recycleIdle(guest, Duration.toMillis(policy.recycle.idle)), scope)
  }
})

/** A bug is a replacement that could not be made, too. */
const reasonOf = (cause: Cause.Cause<GuestError.Reason>): GuestError.Reason => {
  const error = Cause.findError(cause)
  return Result.isSuccess(error)
    ? error.success
    : new GuestError.InstantiationFailed({ detail: Foreign.prettyOf(cause) })
}

const wornOut = (recycle: Supervisor.Recycle | undefined, taken: number, instance: Instance): string | undefined => {
  if (recycle === undefined) return undefined
  if (recycle.calls !== undefined && taken >= recycle.calls) return `${taken} calls`
  if (recycle.memory === undefined && recycle.abandoned === undefined) return undefined
  const { abandoned, memory } = instance.stats()
  if (recycle.memory !== undefined && memory > recycle.memory) return `${memory} bytes of memory`
  if (recycle.abandoned !== undefined && abandoned >= recycle.abandoned) return `${abandoned} abandoned futures`
  return undefined
}

/** Looks now and then whether there has been a call since, of the same instance. */
const recycleIdle = (guest: SupervisedGuest, idle: number): Effect.Effect<never> => {
  let seen: Instance | undefined
  let taken = 0
  return Effect.forever(
    Effect.andThen(
      Effect.sleep(idle),
      Effect.sync(() => {
        const isSame = guest.current === seen && guest.taken === taken
        if (isSame && taken > 0 && guest.inHand === 0) guest.recycle(`no call for ${idle} ms`)
        seen = guest.current
        taken = guest.taken
      })
    )
  )
}
