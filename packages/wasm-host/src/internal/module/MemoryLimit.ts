/**
 * Caps a module's linear memory in its own bytes, before they are compiled: the limit then binds the guest itself, whose
 * `memory.grow` fails beyond it. A host that only looked at the memory afterwards would be too late.
 *
 * Only the memory section is written anew (WebAssembly core specification, "Binary Format, Modules"); all other sections
 * are copied as they are. The bytes have been compiled before, so they are well-formed.
 */
import * as Result from "effect/Result"

/** Bytes of a WebAssembly page. */
export const pageBytes = 65536

const memorySection = 5
const hasMaximum = 1
const memory64 = 4
const customPageSize = 8

/** The same module with memories of at most so many pages, or why it can be none. */
export const cap = (bytes: Uint8Array<ArrayBuffer>, pages: number): Result.Result<Uint8Array<ArrayBuffer>, string> => {
  const reader = new Reader(bytes, 8)
  while (reader.at < bytes.length) {
    const start = reader.at
    const id = reader.byte()
    const size = reader.unsigned()
    const end = reader.at + size
    if (id === memorySection) {
      const section = capSection(reader, pages)
      return Result.map(section, (section) => concat([bytes.subarray(0, start), section, bytes.subarray(end)]))
    }
    reader.at = end
  }
  return Result.succeed(bytes)
}

const capSection = (reader: Reader, pages: number): Result.Result<Uint8Array, string> => {
  const count = reader.unsigned()
  const content = unsigned(count)
  for (let memory = 0; memory < count; memory++) {
    const flags = reader.byte()
    if ((flags & (memory64 | customPageSize)) !== 0) {
      return Result.fail("its memory is addressed with i64, or has pages of a size of its own: plugins have neither")
    }
    const minimum = reader.unsigned()
    const maximum = (flags & hasMaximum) === 0 ? Infinity : reader.unsigned()
    if (minimum > pages) {
      return Result.fail(`it begins with ${minimum * pageBytes} bytes of memory, and the limit is ${pages * pageBytes}`)
    }
    content.push(flags | hasMaximum, ...unsigned(minimum), ...unsigned(Math.min(maximum, pages)))
  }
  return Result.succeed(new Uint8Array([memorySection, ...unsigned(content.length), ...content]))
}

class Reader {
  at: number
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  byte(): number {
    return this.bytes[this.at++]!
  }

  /** LEB128, below 2^32. */
  unsigned(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
}

/** LEB128. */
const unsigned = (value: number): Array<number> => {
  const bytes: Array<number> = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) | 0x80)
  }
}

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
