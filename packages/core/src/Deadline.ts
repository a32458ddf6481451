/**
 * When what a fiber asks for must be answered: an absolute time, inherited by all that the fiber calls.
 *
 * Whoever serves a call reads it where the call begins, and says what happens when the time has come. It travels to the
 * threads of a host pool as what is left of it, so that threads need not agree on the time.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"

/** Milliseconds of Effect's `Clock`; `Infinity` when there is no deadline, which is the default. */
export const Current: Context.Reference<number> = Context.Reference("@fiberhost/core/Deadline/Current", {
  defaultValue: () => Infinity
})

/** The time by the clock of a fiber with this context, in milliseconds. */
export const now = (context: Context.Context<never>): number =>
  Context.get(context, Clock.Clock).currentTimeMillisUnsafe()

/** Gives an effect so much time from its start. One that has less time already keeps that. */
export const within: {
  (duration: Duration.Input): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.Input): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.Input) => {
  const milliseconds = Duration.toMillis(duration)
  return Effect.updateContext(effect, (context: Context.Context<R>) => add(context, milliseconds))
})

/** The context for what has so many milliseconds from now, or less. */
export const add = <R>(context: Context.Context<R>, milliseconds: number): Context.Context<R> => {
  const anyContext = context as Context.Context<never>
  const deadline = now(anyContext) + milliseconds
  return deadline < Context.get(anyContext, Current)
    ? (Context.add(context, Current, deadline) as Context.Context<R>)
    : context
}
