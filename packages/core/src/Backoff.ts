/** Tries something ever more rarely, the more often in a row it was in vain: once in 64 times when it always is. */
export class Backoff {
  private misses = 0
  /** Times that it is not tried. */
  private skips = 0

  /** Whether it should be tried this time. */
  tries(): boolean {
    if (this.skips === 0) return true
    this.skips--
    return false
  }

  hit(): void {
    this.misses = 0
  }

  /** One miss in a row skips nothing: a burst has an end. */
  miss(): void {
    this.misses = Math.min(this.misses + 1, maxMisses)
    this.skips = 2 ** this.misses - 2
  }
}

const maxMisses = 6
