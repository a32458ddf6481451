/** Unsigned LEB128, the integers of WebAssembly's binary format. */

/** By division: a count of pages may be above 2^32. */
export const encode = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...encode(Math.floor(value / 0x80))]

/** Reads zeros past the end, where `at` tells. */
export class Reader {
  protected readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0
  }

  /** Of any length. Exact below 2^53, and above it no less than that. */
  unsigned(): number {
    let value = 0
    let unit = 1
    while (true) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
      unit *= 0x80
    }
  }
}
