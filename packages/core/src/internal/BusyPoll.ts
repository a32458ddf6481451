import { afterTurn } from "./AfterTurn.ts"

/**
 * Keeps an event loop turning for a moment while an answer may come soon. A loop that has fallen asleep is woken 10 us
 * after the answer or later, and a thread that is awake has answered in less. The loop does all else that it has to do
 * meanwhile. Where answers take longer it is tried ever more rarely, so that it costs nothing.
 */
export class BusyPoll {
  private readonly span: number
  private until = 0
  private turning = false
  private misses = 0
  /** Times that it is not tried. */
  private skips = 0

  /** `span`: how long the loop turns at most, in milliseconds. */
  constructor(span: number) {
    this.span = span
  }

  /** Something was asked. */
  begin(): void {
    if (this.skips > 0) {
      this.skips--
      return
    }
    this.until = performance.now() + this.span
    if (this.turning) return
    this.turning = true
    afterTurn(this.turn)
  }

  /** Something was answered. */
  end(): void {
    if (this.until === 0) return
    this.until = 0
    this.misses = 0
  }

  private readonly turn = (): void => {
    if (performance.now() < this.until) {
      afterTurn(this.turn)
      return
    }
    this.turning = false
    if (this.until === 0) return
    this.until = 0
    this.misses = Math.min(this.misses + 1, maxMisses)
    this.skips = 2 ** this.misses
  }
}

/** It is tried once in a thousand times when it is always in vain. */
const maxMisses = 10
