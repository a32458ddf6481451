/**
 * A cap that binds the guest itself: the maximum of the memory that a module defines, lowered in the module's binary
 * before it is compiled. The engine then answers -1 to a `memory.grow` beyond it, and no host code runs for that.
 *
 * The bytes need not have been compiled. All but the memory section is copied byte for byte, and so is what that section
 * says besides the maximum: bytes that the engine refuses are refused with a cap, too.
 */
import * as Result from "effect/Result"
import * as Leb128 from "./Leb128.ts"

/** Bytes. */
const pageSize = 65_536

/** Why the cap cannot be written into the bytes. */
type Refusal =
  | { readonly _tag: "MinimumAbove"; readonly pages: number }
  | { readonly _tag: "SeveralMemories"; readonly count: number }
  /** A form of memory that this reader does not know, such as one with a page size of its own. */
  | { readonly _tag: "UnknownForm"; readonly flags: number }
  /** No module, or a damaged one, whose fault the engine names better. */
  | { readonly _tag: "Unreadable" }

/** Whole pages in a cap of so many bytes. Throws a `RangeError` when there is none. */
export const pagesOf = (bytes: number): number => {
  const pages = Math.floor(bytes / pageSize)
  if (pages >= 1) return pages
  throw new RangeError(`memory is ${bytes}: it must be a number of bytes of at least ${pageSize}, one page`)
}

/**
 * The bytes with the maximum of their memory lowered to `pages`, or `bytes` themselves where the cap changes nothing: a
 * module without a memory of its own, or with a lower maximum.
 */
export const apply = (
  bytes: Uint8Array<ArrayBuffer>,
  pages: number
): Result.Result<Uint8Array<ArrayBuffer>, Refusal> => {
  if (preamble.some((byte, index) => bytes[index] !== byte)) return unreadable
  const reader = new Leb128.Reader(bytes, preamble.length)
  while (reader.at < bytes.length) {
    const start = reader.at
    const id = reader.byte()
    const size = reader.unsigned()
    const body = reader.at
    const end = body + size
    if (!(end <= bytes.length)) return unreadable
    // A module has at most one memory section.
    if (id === memorySection) {
      return Result.map(lowered(bytes.subarray(body, end), pages), (section) =>
        section === undefined ? bytes : spliced(bytes, start, [id, ...Leb128.encode(section.length), ...section], end)
      )
    }
    reader.at = end
  }
  return Result.succeed(bytes)
}

/** One sentence of what is so, and one of what to do. */
export const describe = (refusal: Refusal): string => {
  switch (refusal._tag) {
    case "MinimumAbove":
      return `the module begins with ${refusal.pages * pageSize} bytes. Raise the limit, or build it for less`
    case "SeveralMemories":
      return `the module has ${refusal.count} memories. Build it with one`
    case "UnknownForm":
      return `the form of its memory (flags ${refusal.flags}) is not known. Build the module with pages of ${pageSize} bytes`
    case "Unreadable":
      return "no memory section could be read from the module's bytes. Load it without a limit"
  }
}

/** "\0asm" and the version of core modules. */
const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const memorySection = 5

const hasMaximum = 1
const shared = 2
const memory64 = 4

/** What addresses of 32 and of 64 bits can reach: the maximum of a memory that has none of its own. */
const mostPages = 2 ** 16
const mostPages64 = 2 ** 48

const unreadable: Result.Result<never, Refusal> = Result.fail({ _tag: "Unreadable" })

/** The memory section's content under the cap; undefined where it stays. */
const lowered = (section: Uint8Array, pages: number): Result.Result<ReadonlyArray<number> | undefined, Refusal> => {
  const reader = new Leb128.Reader(section, 0)
  const count = reader.unsigned()
  if (count > 1) return Result.fail({ _tag: "SeveralMemories", count })
  if (count === 0) return Result.succeed(undefined)

  const flagsAt = reader.at
  const flags = reader.byte()
  if ((flags & ~(hasMaximum | shared | memory64)) !== 0) return Result.fail({ _tag: "UnknownForm", flags })
  const minimum = reader.unsigned()
  const minimumEnd = reader.at
  const most = (flags & memory64) === 0 ? mostPages : mostPages64
  const maximum = (flags & hasMaximum) === 0 ? most : reader.unsigned()
  // Not so in any module that compiles. A lower maximum would hide the last two from the engine.
  const damaged = reader.at !== section.length || !(minimum <= maximum)
  if (damaged || maximum > most || (flags & (shared | hasMaximum)) === shared) return unreadable

  if (minimum > pages) return Result.fail({ _tag: "MinimumAbove", pages: minimum })
  if (maximum <= pages) return Result.succeed(undefined)
  return Result.succeed([
    ...section.subarray(0, flagsAt),
    flags | hasMaximum,
    ...section.subarray(flagsAt + 1, minimumEnd),
    ...Leb128.encode(pages)
  ])
}

const spliced = (
  bytes: Uint8Array,
  start: number,
  section: ReadonlyArray<number>,
  end: number
): Uint8Array<ArrayBuffer> => {
  const result = new Uint8Array(start + section.length + bytes.length - end)
  result.set(bytes.subarray(0, start))
  result.set(section, start)
  result.set(bytes.subarray(end), start + section.length)
  return result
}
