/**
 * Shows V8 that what a waiting call is made of dies young.
 *
 * V8 decides once for each place in the code whether what it makes goes straight to old space, by how much of it survived a
 * collection. In a program that starts, or where a thousand calls wait at once, all contexts, scopes and fibers do. Those of later
 * calls would then stay, with all that they refer to, until a full collection: calls that wait cost twice as much (docs/speed.md).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

let shown = false

/** Once in a thread, when host functions are first provided there: none of these is there at the next collection. */
export const show = (): void => {
  if (shown) return
  shown = true
  // Five times as many as V8 wants to have seen of a place before it decides.
  for (let i = 0; i < 500; i++) {
    const context = Context.add(Context.empty(), Scope.Scope, Scope.makeUnsafe())
    const fiber = Effect.runForkWith(context)(Effect.never)
    // As of a host call that waits: it suspends, is observed, and ends.
    fiber.addObserver(ignore)
    fiber.interruptUnsafe()
  }
}

const ignore = (): void => {}
