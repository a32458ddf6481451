/**
 * Owner's side: what is done about a thread that computes for nobody: it is ended.
 *
 * A function whose caller has left is interrupted, but one that computes does not hear of it, and holds up its thread. When
 * a thread has not been at its messages for the grace time, it is ended if what it is at was left all that time: the call
 * that it is beginning, on its stack; or, where it is beginning none, all calls that it has begun, for it may be at any of them.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Progress } from "./Board.ts"
import type { PoolCall } from "./PoolCall.ts"
import type { PoolThread } from "./PoolThread.ts"

/** Watches a thread from when a caller leaves until nothing is left there. */
export const watch = Effect.fnUntraced(function* (thread: PoolThread, grace: Duration.Duration) {
  // Who leaves in this turn is seen.
  yield* Effect.yieldNow
  for (let seen = look(thread); seen.left.size > 0; seen = look(thread)) {
    thread.ask()
    yield* Effect.sleep(grace)
    if (strayCall(thread, seen) === undefined) continue
    yield* hearing
    const stray = strayCall(thread, seen)
    if (stray === undefined) continue
    const millis = Duration.toMillis(grace)
    const detail = `it did not return from "${stray.codec.name}", which was interrupted more than ${millis} ms ago`
    return thread.giveUp(detail)
  }
})

/** However short the grace time was, and by whatever clock: by now a thread that does not compute has heard. */
const hearing: Effect.Effect<void> = Effect.callback((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 100)
  return Effect.sync(() => clearTimeout(timer))
})

interface Sight {
  readonly progress: Progress
  /** Calls that nobody waits for. */
  readonly left: ReadonlySet<PoolCall>
}

const look = (thread: PoolThread): Sight => ({
  progress: thread.progress,
  left: new Set(thread.pending.filter(({ isSettled }) => isSettled))
})

/** What the thread has computed for nobody ever since, or may have. */
const strayCall = (thread: PoolThread, { left, progress }: Sight): PoolCall | undefined => {
  const { begun, heard, isEntered } = thread.progress
  if (heard !== progress.heard || begun !== progress.begun || isEntered !== progress.isEntered) return undefined
  const at = thread.pending.filter((call) => (isEntered ? thread.isLastBegun(call) : thread.hasBegun(call)))
  // What it does for callers on other threads is not known here.
  const isAlone = isEntered || thread.load <= thread.active
  return isAlone && at.every((call) => left.has(call)) ? at[0] : undefined
}
