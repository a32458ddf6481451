// Keeps a number of calls in flight: where one is answered the next starts, until the slice is over. A slot is the place of one call in
// flight; whatever a call needs for itself, such as a buffer that it moves, belongs to its slot.
import { Cause, type Context, Effect, type Exit } from "effect"
import type { Slice } from "./Slice.ts"

/** `call` makes the call of a slot. Where it does not check its answer, `check` does. */
export async function ofPromises<A>(
  slice: Slice,
  call: (slot: number) => Promise<A>,
  check: (answer: A) => void = () => {}
): Promise<void> {
  const keepCalling = async (slot: number) => {
    while (!slice.over) {
      const started = slice.started()
      check(await call(slot))
      slice.answered(started)
    }
  }
  await Promise.all(Array.from({ length: slice.inFlight }, (_, slot) => keepCalling(slot)))
}

/** The calls are answered when they return: they follow one another, whatever is to be in flight. */
export async function ofCalls(slice: Slice, call: () => void): Promise<void> {
  while (!slice.over) {
    const started = slice.started()
    call()
    slice.answered(started)
  }
}

/** `call` says whether it was answered at once; otherwise it calls `answered` later. */
export function ofCallbacks(slice: Slice, call: (answered: () => void) => boolean): Promise<void> {
  return new Promise((resolve) => {
    let calling = slice.inFlight
    const keepCalling = () => {
      while (!slice.over) {
        const started = slice.started()
        const answered = () => {
          slice.answered(started)
          keepCalling()
        }
        if (!call(answered)) return
        slice.answered(started)
      }
      if (--calling === 0) resolve()
    }
    for (let slot = 0; slot < slice.inFlight; slot++) keepCalling()
  })
}

/** Each slot is a fiber that makes one call after the other, as an async function does in `ofPromises`. */
export async function inFibers<A, R>(
  slice: Slice,
  services: Context.Context<R>,
  call: () => Effect.Effect<A, unknown, R>,
  check: (answer: A) => void
): Promise<void> {
  const keepCalling = Effect.gen(function* () {
    while (!slice.over) {
      const started = slice.started()
      check(yield* call())
      slice.answered(started)
    }
  })
  const run = Effect.runPromiseWith(services)
  await Promise.all(Array.from({ length: slice.inFlight }, () => run(keepCalling)))
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
    const keepCalling = (slot: number) => {
      // A call that is answered at once is followed by the next in this loop: recursion would end at the stack's end.
      while (!slice.over) {
        const started = slice.started()
        const fiber = fork(call(slot))
        const answered = (exit: Exit.Exit<void, unknown>) => {
          if (exit._tag === "Failure") return reject(Cause.squash(exit.cause))
          slice.answered(started)
        }
        const exit = fiber.pollUnsafe()
        if (exit === undefined) {
          fiber.addObserver((exit) => {
            answered(exit)
            keepCalling(slot)
          })
          return
        }
        answered(exit)
      }
      if (--calling === 0) resolve()
    }
    for (let slot = 0; slot < slice.inFlight; slot++) keepCalling(slot)
  })
}
