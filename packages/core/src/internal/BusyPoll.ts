import { Backoff } from "../Backoff.ts"

/**
 * For how long an event loop does not sleep, because an answer may come soon. A loop that has fallen asleep is woken 10 us
 * after the answer or later, and a thread that is awake has answered in less. The loop does all else that it has to do
 * meanwhile. Where answers take longer it is tried ever more rarely, so that it costs next to nothing.
 */
export class BusyPoll {
  private readonly backoff: Backoff
  private until = 0

  /** `span`: how long the loop does not sleep for somebody who is awake, in milliseconds; 0: it always may. */
  constructor(span: number) {
    this.backoff = new Backoff(span)
  }

  /** Something was asked, of somebody who perhaps had to be woken. Whether the loop should not sleep from now on. */
  begin(hasWoken: boolean): boolean {
    const span = this.backoff.next(hasWoken)
    if (span > 0) this.until = Math.max(this.until, performance.now() + span)
    return span > 0
  }

  /** Something was answered. */
  end(): void {
    if (this.until === 0) return
    this.until = 0
    this.backoff.hit()
  }

  /** The loop has turned. Whether it should once more. */
  turned(): boolean {
    if (this.until === 0) return false
    if (performance.now() < this.until) return true
    this.until = 0
    this.backoff.miss()
    return false
  }
}
