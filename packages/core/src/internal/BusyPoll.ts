/**
 * For how long an event loop does not sleep, because an answer may come soon. A loop that has fallen asleep is woken 10 us
 * after the answer or later, and a thread that is awake has answered in less. The loop does all else that it has to do
 * meanwhile. Where answers take longer it is tried ever more rarely, so that it costs next to nothing.
 */
export class BusyPoll {
  private readonly span: number
  private until = 0
  private misses = 0
  /** Times that it is not tried. */
  private skips = 0

  /** `span`: how long the loop does not sleep at most, in milliseconds. */
  constructor(span: number) {
    this.span = span
  }

  /** Something was asked. Whether the loop should not sleep from now on. */
  begin(): boolean {
    if (this.skips > 0) {
      this.skips--
      return false
    }
    this.until = performance.now() + this.span
    return true
  }

  /** Something was answered. */
  end(): void {
    if (this.until === 0) return
    this.until = 0
    this.misses = 0
  }

  /** The loop has turned. Whether it should once more. */
  get goesOn(): boolean {
    if (this.until === 0) return false
    if (performance.now() < this.until) return true
    this.until = 0
    this.misses = Math.min(this.misses + 1, maxMisses)
    this.skips = 2 ** this.misses
    return false
  }
}

/** It is tried once in 64 times when it is always in vain. */
const maxMisses = 6
