// Keeps a number of calls in flight: where one is answered the next starts, until the slice is over. A slot is the place of one call in
// flight; whatever a call needs for itself, such as a buffer that it moves, belongs to its slot.
import { Cause, type Context, Effect } from "effect"
import type { Slice } from "./Slice.ts"

/** `call` makes the call of a slot and checks its answer. */
export async function ofPromises(slice: Slice, call: (slot: number) => Promise<void>): Promise<void> {
  const keepCalling = async (slot: number) => {
    while (!slice.over) {
      const started = slice.started()
      await call(slot)
      slice.answered(started)
    }
  }
  await Promise.all(Array.from({ length: slice.inFlight }, (_, slot) => keepCalling(slot)))
}

/** Each call runs in a fiber of its own. */
export function ofFibers<R>(
  slice: Slice,
  services: Context.Context<R>,
  call: (slot: number) => Effect.Effect<void, unknown, R>
): Promise<void> {
  const fork = Effect.runForkWith(services)
  return new Promise((resolve, reject) => {
    let calling = slice.inFlight
    const callAgain = (slot: number) => {
      if (slice.over) {
        if (--calling === 0) resolve()
        return
      }
      const started = slice.started()
      fork(call(slot)).addObserver((exit) => {
        if (exit._tag === "Failure") return reject(Cause.squash(exit.cause))
        slice.answered(started)
        callAgain(slot)
      })
    }
    for (let slot = 0; slot < slice.inFlight; slot++) callAgain(slot)
  })
}
