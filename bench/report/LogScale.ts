/** Places positive values along `length` pixels, each power of ten as far from the next. */
export class LogScale {
  /** Values that a line is drawn at. */
  readonly ticks: ReadonlyArray<number>
  readonly #least: number
  readonly #most: number
  readonly #length: number

  /** From a power of ten below all values, so that the least still has a length, to a little above the greatest. */
  constructor(values: ReadonlyArray<number>, length: number) {
    const least = Math.log10(Math.min(...values))
    this.#least = Math.floor(least - 0.15)
    this.#most = Math.max(Math.log10(Math.max(...values)) + 0.04, this.#least + 1)
    this.#length = length
    const powers = Array.from({ length: Math.floor(this.#most) - this.#least + 1 }, (_, n) => 10 ** (this.#least + n))
    const step = Math.ceil(powers.length / 7)
    // A label takes some 36 pixels.
    const hasRoom = (Math.log10(2) / (this.#most - this.#least)) * length > 36
    this.ticks = hasRoom
      ? powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((tick) => Math.log10(tick) <= this.#most)
      : powers.filter((_, n) => n % step === 0)
  }

  at(value: number): number {
    return ((Math.log10(value) - this.#least) / (this.#most - this.#least)) * this.#length
  }
}
