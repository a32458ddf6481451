/**
 * How a thread looks for what comes before it sleeps: at words in shared memory that change when something was written or
 * posted, so that it need not ask the port over and over. Where messages are far between, or cores are few, it would take
 * somebody's time: then it tries ever more rarely.
 */
import { Backoff } from "@fiberhost/core/Backoff"
import type { RingBuffer } from "@fiberhost/core/RingBuffer"

export class Poll {
  private readonly fromOwner: RingBuffer
  /** Words that change when somebody else than the owner has posted something. */
  private readonly watched: Array<readonly [words: Int32Array, index: number]> = []
  private readonly backoff: Backoff

  /** `span`: how long it polls at most, in milliseconds. */
  constructor(fromOwner: RingBuffer, span: number) {
    this.fromOwner = fromOwner
    this.backoff = new Backoff(span)
  }

  /** Another word that changes when something was posted. */
  watch(words: Int32Array, index: number): void {
    this.watched.push([words, index])
  }

  private get changes(): number {
    let { changes } = this.fromOwner
    for (const [words, index] of this.watched) changes += Atomics.load(words, index)
    return changes
  }

  /** What `take` finds now, or when something changes soon. */
  poll<A>(take: () => A | undefined): A | undefined {
    const before = this.changes
    const found = take()
    if (found !== undefined) return found
    const span = this.backoff.next()
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
