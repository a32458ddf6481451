/**
 * For how long to wait for something without sleeping: ever more rarely, the more often in a row that was in vain.
 *
 * @internal
 */
export class Backoff {
  private readonly span: number
  private misses = 0
  /** Times that nobody waits. */
  private skips = 0

  /** `span`: how long, in milliseconds; 0: never. */
  constructor(span: number) {
    this.span = span
  }

  /** How long this time, in milliseconds; 0: not at all. */
  next(): number {
    if (this.skips === 0) return this.misses < maxMisses ? this.span : patience * this.span
    this.skips--
    return 0
  }

  /** It came. */
  hit(): void {
    this.misses = 0
  }

  /** It did not come in time. One miss in a row skips nothing: a burst has an end. */
  miss(): void {
    this.misses = Math.min(this.misses + 1, maxMisses)
    this.skips = 2 ** this.misses - 2
  }
}

/** It is tried once in 63 times when it is always in vain. */
const maxMisses = 6

/**
 * Then for so many times as long. Two threads that both sleep wake each other, which may take longer than the span, so
 * that either would always wait in vain; once one has waited for the other both are awake.
 */
const patience = 8
