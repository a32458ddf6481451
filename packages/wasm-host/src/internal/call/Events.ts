/**
 * What happens to a plugin's guests, for those who watch: nothing is kept for nobody. The plugin's scope owns it, and ends what is
 * watched.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Supervisor from "../../Supervisor.ts"

export interface Events {
  readonly publish: (event: Supervisor.Event) => void
  readonly stream: Stream.Stream<Supervisor.Event>
}

export const make: Effect.Effect<Events, never, Scope.Scope> = Effect.gen(function* () {
  let watched: PubSub.PubSub<Supervisor.Event> | undefined
  let isOver = false
  yield* Effect.addFinalizer(() => {
    isOver = true
    return watched === undefined ? Effect.void : PubSub.shutdown(watched)
  })
  const stream = Stream.suspend(() => {
    if (isOver) return Stream.empty
    watched ??= Effect.runSync(PubSub.sliding<Supervisor.Event>(buffer))
    return Stream.fromPubSub(watched)
  })
  return { stream, publish: (event) => void (watched && PubSub.publishUnsafe(watched, event)) }
})

/** Events that a reader may fall behind. */
const buffer = 256
