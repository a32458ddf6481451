/**
 * An `onReplace` that runs on the replacement of a guest, until it has ended: what its fibers, and the host functions that run
 * for it, have in their context. Calls of the guest that waits for it would wait for themselves.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SupervisedGuest } from "./SupervisedGuest.ts"

interface Preparation {
  readonly guest: SupervisedGuest
  /** A fiber that outlives it waits as anybody else. */
  hasEnded: boolean
}

const Current: Context.Reference<Preparation | undefined> = Context.Reference("@fiberhost/wasm-host/Preparation", {
  defaultValue: (): Preparation | undefined => undefined
})

/** Runs the `onReplace` of a guest. */
export const run = <A, E, R>(guest: SupervisedGuest, onReplace: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const preparation: Preparation = { guest, hasEnded: false }
    return onReplace.pipe(
      Effect.provideService(Current, preparation),
      Effect.ensuring(
        Effect.sync(() => {
          preparation.hasEnded = true
        })
      )
    )
  })

/** Whether a fiber with this context is waited for by the replacement of the guest. */
export const isOf = (guest: SupervisedGuest, context: Context.Context<never>): boolean => {
  const current = Context.get(context, Current)
  return current?.guest === guest && !current.hasEnded
}
