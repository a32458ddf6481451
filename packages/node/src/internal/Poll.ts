/**
 * How a thread looks for what comes before it sleeps: at words in shared memory that change when something was written or
 * posted, so that it need not ask the port over and over. Where messages are far between, or cores are few, it would take
 * somebody's time: then it tries ever more rarely.
 */
import { Backoff } from "@fiberhost/core/Backoff"
import type { RingBuffers } from "@fiberhost/core/Wire"

export class Poll {
  private readonly ringBuffers: RingBuffers
  /** Words that change when somebody else than the owner has posted something. */
  private readonly watched: Array<readonly [words: Int32Array, index: number]> = []
  private readonly backoff: Backoff

  /** `span`: how long it polls for an owner who is awake, in milliseconds; 0: it does not. */
  constructor(ringBuffers: RingBuffers, span: number) {
    this.ringBuffers = ringBuffers
    this.backoff = new Backoff(span)
  }

  /** Another word that changes when something was posted. */
  watch(words: Int32Array, index: number): void {
    this.watched.push([words, index])
  }

  private get changes(): number {
    let { changes } = this.ringBuffers.in
    for (const [words, index] of this.watched) changes += Atomics.load(words, index)
    return changes
  }

  /** What `take` finds now, or when something changes soon. */
  poll<A>(take: () => A | undefined): A | undefined {
    const before = this.changes
    const found = take()
    if (found !== undefined) return found
    const span = this.backoff.next(this.ringBuffers.out.hasWoken())
    if (span === 0) return undefined
    const end = performance.now() + span
    do {
      for (let look = 0; look < 100; look++) {
        if (this.changes === before) continue
        this.backoff.hit()
        return take()
      }
    } while (performance.now() < end)
    this.backoff.miss()
    return undefined
  }
}
