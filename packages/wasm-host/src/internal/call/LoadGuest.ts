/**
 * Loads a guest for a plugin: its first instance, what stands for it, and who replaces it. All of them belong to the scope
 * that it is loaded in.
 */
import * as Admission from "@fiberhost/core/Admission"
import * as Deadline from "@fiberhost/core/Deadline"
import * as Foreign from "@fiberhost/core/Foreign"
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as GuestError from "../../GuestError.ts"
import * as GuestExecutor from "../../GuestExecutor.ts"
import type * as Supervisor from "../../Supervisor.ts"
import * as GuestLimits from "../guest/GuestLimits.ts"
import * as CallObserver from "./CallObserver.ts"
import type { PluginGuest } from "./PluginGuest.ts"
import * as Preparation from "./Preparation.ts"
import { type Options as GuestOptions, SupervisedGuest } from "./SupervisedGuest.ts"
import * as Supervision from "./Supervision.ts"

export interface Options extends GuestExecutor.LoadOptions {
  /** The codecs of the guest functions, in the order of `signature.exports`. */
  readonly functions: ReadonlyArray<FunctionCodec.FunctionCodec>
  readonly supervisor: Supervisor.Policy | undefined
  /** Runs on each replacement before any call does. */
  readonly onReplace: ((guest: PluginGuest) => Effect.Effect<void, unknown>) | undefined
  readonly onEvent: (event: Supervisor.Incident) => void
}

/** Fails as `GuestExecutor.load` does. */
export const loadGuest = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<PluginGuest, GuestError.GuestError, GuestExecutor.GuestExecutor | Scope.Scope> {
  const { functions, limits, onEvent, onReplace, signature, supervisor } = options
  const { plugin } = signature
  const { valueBytes } = GuestLimits.of(limits)
  if (supervisor !== undefined) Supervision.check(supervisor)
  const { gate, load } = yield* GuestExecutor.GuestExecutor
  const scope = yield* Effect.scope
  const context = yield* Effect.context<never>()
  const observer = Context.get(context, CallObserver.Current)

  const loadOwned = (onPlace: GuestExecutor.LoadOptions["onPlace"]) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Scope.fork(scope), (scope) =>
        restore(Scope.provide(load({ ...options, onPlace }), scope)).pipe(
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
          Effect.map((instance) => ({ instance, close: Scope.close(scope, Exit.void) }))
        )
      )
    )
  const standFor = (
    instance: Supervision.Owned["instance"],
    own: Pick<GuestOptions, "gate" | "onEvent"> & Partial<Pick<GuestOptions, "timer">>
  ) =>
    Effect.acquireRelease(
      Effect.sync(
        () =>
          new SupervisedGuest({
            plugin,
            functions,
            signatures: signature.exports,
            instance,
            valueBytes,
            context,
            observer,
            ...own
          })
      ),
      (guest) => Effect.sync(() => guest.close())
    )
  const prepare = (instance: Supervision.Owned["instance"]) =>
    onReplace === undefined
      ? Effect.void
      : Effect.scoped(Effect.flatMap(standFor(instance, ownOfReplacement()), onReplace)).pipe(
          (preparing) => Preparation.run(guest, preparing),
          Effect.catchCause((cause) => Effect.fail(failureOf(cause, instance)))
        )

  const first = yield* loadOwned(undefined)
  const guest = yield* standFor(first.instance, { gate, onEvent })
  const ownOfReplacement = () => ({
    // Those who wait for the replacement may have taken all room.
    gate: { ...gate, admission: Admission.make() },
    // Calls that `onReplace` leaves behind keep their deadlines, and are watched.
    timer: guest.timer,
    onEvent: (event: Supervisor.Incident) => {
      if (event._tag === "Answered" || event._tag === "Terminated") onEvent(event)
    }
  })
  if (supervisor !== undefined) {
    // The deadline of who loads the plugin is not that of its replacements.
    yield* Supervision.start({ guest, policy: supervisor, first, load: loadOwned, prepare }).pipe(
      Effect.provideService(Deadline.Current, Infinity)
    )
  }
  return guest
})

/** Why an `onReplace` did not succeed, bugs included. */
const failureOf = (cause: Cause.Cause<unknown>, { dead }: Supervision.Owned["instance"]): GuestError.Reason => {
  // Its executor is closed.
  if (dead?._tag === "Closed") return dead
  const error = Cause.findError(cause)
  const detail = Result.isFailure(error) ? Foreign.prettyOf(cause) : Foreign.textOf(error.success)
  return new GuestError.OnReplaceFailed({ detail })
}
