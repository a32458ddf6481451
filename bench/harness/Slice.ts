// One timed stretch of one subject: counts its calls and times a sample of them. The clock is read only for calls of the sample, every
// one with 1 in flight and every 63rd with 1000, so that measuring costs little and costs each subject the same.

export class Slice {
  readonly inFlight: number
  /** Microseconds that each call of the sample took. */
  readonly latencies: Array<number> = []
  #started = 0
  #answered = 0
  #over = false
  readonly #start = performance.now()
  readonly #deadline: number
  readonly #every: number
  #elapsed = 0

  /** `every`: how many calls to one of the sample. */
  constructor(inFlight: number, milliseconds: number, every = 1 + Math.floor(inFlight / 16)) {
    this.inFlight = inFlight
    this.#deadline = this.#start + milliseconds
    this.#every = every
  }

  /** Whether no further call is to start. */
  get over(): boolean {
    return this.#over
  }

  /** A call starts: what to hand to `answered`. */
  started(): number {
    return this.#started++ % this.#every === 0 ? performance.now() : 0
  }

  answered(started: number): void {
    this.#answered++
    if (started === 0) return
    const now = performance.now()
    this.latencies.push((now - started) * 1000)
    if (now >= this.#deadline) this.#over = true
  }

  /** All calls have been answered. The time that the last ones took counts too: all calls did their work in it. */
  finish(): void {
    this.#elapsed = performance.now() - this.#start
  }

  get opsPerSec(): number {
    return (this.#answered * 1000) / this.#elapsed
  }
}
