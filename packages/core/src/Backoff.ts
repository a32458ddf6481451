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

  /**
   * How long this time, in milliseconds; 0: not at all. `hasWoken`: who it is to come from slept and was woken, which takes
   * up to a millisecond. If who waits fell asleep meanwhile, each would wake the other ever after.
   */
  next(hasWoken: boolean): number {
    if (this.skips > 0) {
      this.skips--
      return 0
    }
    return hasWoken && this.span > 0 ? 1 : this.span
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
