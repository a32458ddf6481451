/**
 * Writes MessagePack into one growing scratch buffer.
 *
 * A writer is owned by one encoder at a time and may be reused for ever; what it hands out ({@link Writer.take}) is
 * always a copy of exactly the bytes written. Integers take their shortest form, `Number`s the form they are asked for.
 * Failures are thrown as `CodecFailure`; `Codec` catches them.
 *
 * Between threads some values lie beside the bytes instead, in a list that `postMessage` carries with them: large byte
 * strings, buffers that are moved, and what only the structured clone can carry. Such a value is written as an ext of
 * type {@link besideType}, whose payload is three u32: its index in the list, and the offset and length in the buffer there.
 */
import { CodecFailure, doesNotFit } from "../../CodecError.ts"
import type { Beside } from "./Beside.ts"
import { besideBytes, besideType, defaultLimit } from "./MsgPackFormat.ts"
import { copyWords, longLength } from "./Words.ts"

/** Strings that are shorter cost less to write than the engine's encoder costs to call; measured. */
const shortLength = 64
/** Scratch space that is kept between values; what a large value needed beyond that is given back. */
const keptBytes = 1 << 20
const encoder = new TextEncoder()

/** What a typed array has itself: a property of the same name may say something else, and each time something new. */
const own = <A>(name: string): ((bytes: Uint8Array) => A) => {
  const get = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), name)!.get!
  return (bytes) => get.call(bytes) as A
}
const lengthOf = own<number>("length")
const byteOffsetOf = own<number>("byteOffset")
const bufferOf = own<ArrayBufferLike>("buffer")

const minI64 = -(2n ** 63n)
const maxU64 = 2n ** 64n - 1n

/** A clone that is made now, so that a value that has none fails here and not the message that it would lie in. */
const cloneOf = (value: unknown): unknown => {
  try {
    return structuredClone(value)
  } catch {
    throw doesNotFit("Expected a value that the structured clone can carry")
  }
}

export class Writer {
  /** The most bytes that may be written between two resets. Whoever owns it may change it while it is empty. */
  limit: number
  /** Nesting depth of the value being written; kept here so that encoders need no second argument. */
  depth = 0
  /** What lies beside the bytes. With `undefined`, as at first, all is written into the bytes. Its owner sets and takes it. */
  beside: Beside | undefined = undefined
  /** Bytes that unions have written in vain. */
  private wasted = 0
  private start = 0
  private highest = 0
  /** The most bytes that one value may have, and where the one that is being written must end. */
  private valueLimit = Infinity
  private end: number
  /** Where what is written goes, and a view of it: new ones when they are full. For code that has room from `advance`. */
  bytes: Uint8Array<ArrayBuffer>
  view: DataView<ArrayBuffer>
  private offset = 0

  constructor(limit: number = defaultLimit, initialBytes = 256) {
    this.limit = limit
    this.end = limit
    this.bytes = new Uint8Array(initialBytes)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Bytes written so far; also the mark to {@link rewind} to. */
  get size(): number {
    return this.offset
  }

  /** Bytes that the value which is being written may still have. */
  get room(): number {
    return this.end - this.offset
  }

  /** Forgets everything written after `mark`, an earlier `size`, and what was laid beside the bytes since. */
  rewind(mark: number): void {
    this.offset = mark
    this.beside?.takeBack(mark)
  }

  /**
   * Takes back what a union's member wrote before it turned out not to fit, and returns the furthest that one of them came:
   * they count together, as much as that one, for how many there are is the schema's doing. Bounds the cost of values that
   * many members nearly fit to a multiple of their size.
   */
  retract(mark: number, furthest: number): number {
    const { offset } = this
    if (offset > this.highest) this.highest = offset
    if (offset > furthest) this.wasted += offset - furthest
    this.rewind(mark)
    if (this.wasted > (this.highest - this.start) * 64 + 65_536) {
      const message = "too many members of a union begin like this value"
      throw new CodecFailure({ _tag: "DoesNotFit", message, final: true })
    }
    return Math.max(offset, furthest)
  }

  /** Begins a value: what the last one cost is forgotten. */
  begin(): void {
    this.depth = 0
    this.wasted = 0
    this.start = this.offset
    this.highest = this.offset
    this.end = Math.min(this.limit, this.offset + this.valueLimit)
  }

  /**
   * Writes values of at most `limit` bytes each for somebody who reads MessagePack alone: nothing of them lies beside
   * the bytes.
   */
  plain<A>(limit: number, write: () => A): A {
    const { beside } = this
    this.beside = undefined
    this.valueLimit = limit
    try {
      return write()
    } finally {
      this.beside = beside
      this.valueLimit = Infinity
      this.end = this.limit
    }
  }

  /** A copy of what was written, in a buffer of exactly that length; the writer is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const out = this.bytes.slice(0, this.offset)
    this.reset()
    return out
  }

  /** As {@link Writer.take}, the buffer itself. */
  takeBuffer(): ArrayBuffer {
    const out = this.bytes.buffer.slice(0, this.offset)
    this.reset()
    return out
  }

  /** As {@link Writer.take}, a few bytes as the characters of a string. */
  takeText(): string {
    const units = new Array<number>(this.offset)
    for (let i = 0; i < units.length; i++) units[i] = this.bytes[i]!
    this.reset()
    return String.fromCharCode.apply(null, units)
  }

  reset(): void {
    this.offset = 0
    this.depth = 0
    if (this.bytes.length > keptBytes) this.allocate(keptBytes)
  }

  nil(): void {
    this.byte(0xc0)
  }

  bool(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2)
  }

  float32(value: number): void {
    const at = this.advance(5)
    this.bytes[at] = 0xca
    this.view.setFloat32(at + 1, value)
  }

  float64(value: number): void {
    const at = this.advance(9)
    this.bytes[at] = 0xcb
    this.view.setFloat64(at + 1, value)
  }

  /** A safe integer in its shortest form; -0 is 0. */
  int(value: number): void {
    if (value >= 0) {
      if (value < 0x80) this.byte(value)
      else if (value <= 0xff) this.tagged8(0xcc, value)
      else if (value <= 0xffff) this.tagged16(0xcd, value)
      else if (value <= 0xffff_ffff) this.tagged32(0xce, value)
      else this.tagged64(0xcf, value)
    } else if (value >= -0x20) this.byte(value & 0xff)
    else if (value >= -0x80) this.tagged8(0xd0, value)
    else if (value >= -0x8000) this.tagged16(0xd1, value)
    else if (value >= -0x8000_0000) this.tagged32(0xd2, value)
    else this.tagged64(0xd3, value)
  }

  /** An integer from i64::MIN to u64::MAX in its shortest form. */
  bigInt(value: bigint): void {
    if (value >= -0x8000_0000n && value <= 0xffff_ffffn) return this.int(Number(value))
    if (value < minI64 || value > maxU64) throw doesNotFit(`Expected an integer from ${minI64} to ${maxU64}`)
    const at = this.advance(9)
    this.bytes[at] = value < 0n ? 0xd3 : 0xcf
    this.view.setBigUint64(at + 1, BigInt.asUintN(64, value))
  }

  /** A string in UTF-8. One with a lone surrogate has no UTF-8 form and is refused rather than replaced. */
  str(value: string): void {
    const length = value.length
    if (length < shortLength && this.shortAscii(value)) return
    if (!value.isWellFormed()) throw doesNotFit("Expected a string without lone surrogates")
    // A UTF-16 unit takes at least one byte and at most three.
    if (this.offset + length > this.end) this.tooLarge()
    const start = this.offset
    this.reserve(start + 5 + length * 3)
    const guess = strHeaderBytes(length)
    const { written } = encoder.encodeInto(value, this.bytes.subarray(start + guess))
    const header = strHeaderBytes(written)
    if (header !== guess) this.bytes.copyWithin(start + header, start + guess, start + guess + written)
    if (written < 32) this.byte(0xa0 | written)
    else this.sized(0xd9, written)
    this.advance(written)
  }

  /** A byte string; a copy of a large one lies beside the bytes where that is possible. */
  bin(value: Uint8Array): void {
    const length = lengthOf(value)
    if (length >= besideBytes && this.beside !== undefined) {
      const buffer = bufferOf(value)
      // Of a part of a buffer all of it would be copied.
      if (this.beside.isCopied && buffer instanceof ArrayBuffer && buffer.byteLength === length) {
        return this.ext(this.beside.lend(buffer, this.offset), 0, length)
      }
      const copy = new Uint8Array(value)
      return this.ext(this.beside.lay(copy.buffer, true, this.offset), 0, length)
    }
    this.sized(0xc4, length)
    const at = this.advance(length)
    // The engine's copy costs more to call than a few bytes to write.
    if (length > 32) this.bytes.set(value, at)
    else for (let i = 0; i < length; i++) this.bytes[at + i] = value[i]!
  }

  /**
   * A byte string whose buffer is moved to the receiver, where there is a list beside the bytes: its giver, and every other view
   * of the buffer, has nothing left. That happens in {@link Writer.settle}, when all of the value has been written, so that a
   * value that does not fit loses nothing. Shared memory is copied.
   */
  moved(value: Uint8Array): void {
    const buffer = bufferOf(value)
    if (this.beside === undefined || !(buffer instanceof ArrayBuffer)) return this.bin(value)
    if (buffer.detached) throw doesNotFit("Expected a Uint8Array whose buffer has not been moved already")
    this.ext(this.beside.move(buffer, this.offset), byteOffsetOf(value), lengthOf(value))
  }

  /** A value that only the structured clone can carry. */
  cloned(value: unknown): void {
    if (this.beside === undefined)
      throw doesNotFit("Expected a value with a MessagePack form: this one can only be sent between threads")
    this.ext(this.beside.lay(cloneOf(value), false, this.offset), 0, 0)
  }

  /** All of the value has been written: buffers that were promised to the receiver are moved. Fails as `Beside.settle`. */
  settle(): void {
    this.beside?.settle()
  }

  /** Appends all that another writer holds, with what lies beside it: nothing may lie beside the bytes of this one yet. */
  adopt(draft: Writer): void {
    this.raw(draft.bytes, 0, draft.size)
    if (draft.beside !== undefined && draft.beside.list.length > 0) this.beside = draft.beside
  }

  /** Four bytes, big-endian: no MessagePack value, for lengths and the like between values. */
  u32(value: number): void {
    const at = this.advance(4)
    this.view.setUint32(at, value)
  }

  /** Leaves four bytes for {@link Writer.patch32}, and returns where they are. */
  placeholder32(): number {
    // It is no part of the value before it.
    this.end = this.limit
    return this.advance(4)
  }

  patch32(at: number, value: number): void {
    this.view.setUint32(at, value)
  }

  /** Bytes as they are, for example values that are encoded already. `view`: of the bytes, where there is one. */
  raw(bytes: Uint8Array, start = 0, end: number = bytes.length, view?: DataView): void {
    const length = end - start
    const at = this.advance(length)
    if (view !== undefined && length < longLength) return copyWords(view, start, length, this.view, at)
    // The engine's copy costs more to call than a few bytes to write.
    if (length > 32) this.bytes.set(length === bytes.length ? bytes : bytes.subarray(start, end), at)
    else for (let i = 0; i < length; i++) this.bytes[at + i] = bytes[start + i]!
  }

  /** Sets the number of pairs, below 16, of a map whose header was written at `at` for another. */
  patchMapHeader(at: number, count: number): void {
    this.bytes[at] = 0x80 | count
  }

  arrayHeader(count: number): void {
    if (count < 16) this.byte(0x90 | count)
    else if (count <= 0xffff) this.tagged16(0xdc, count)
    else this.tagged32(0xdd, count)
  }

  mapHeader(count: number): void {
    if (count < 16) this.byte(0x80 | count)
    else if (count <= 0xffff) this.tagged16(0xde, count)
    else this.tagged32(0xdf, count)
  }

  private ext(index: number, offset: number, length: number): void {
    const at = this.advance(15)
    this.bytes[at] = 0xc7
    this.bytes[at + 1] = 12
    this.bytes[at + 2] = besideType
    this.view.setUint32(at + 3, index)
    this.view.setUint32(at + 7, offset)
    this.view.setUint32(at + 11, length)
  }

  private shortAscii(value: string): boolean {
    const length = value.length
    const header = length < 32 ? 1 : 2
    this.reserve(this.offset + header + length)
    const { bytes } = this
    const start = this.offset + header
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit >= 0x80) return false
      bytes[start + i] = unit
    }
    if (header === 1) this.byte(0xa0 | length)
    else this.tagged8(0xd9, length)
    this.advance(length)
    return true
  }

  private sized(tag8: number, length: number): void {
    if (length <= 0xff) this.tagged8(tag8, length)
    else if (length <= 0xffff) this.tagged16(tag8 + 1, length)
    else this.tagged32(tag8 + 2, length)
  }

  private byte(value: number): void {
    const at = this.advance(1)
    this.bytes[at] = value
  }

  private tagged8(tag: number, value: number): void {
    const at = this.advance(2)
    this.bytes[at] = tag
    this.bytes[at + 1] = value
  }

  private tagged16(tag: number, value: number): void {
    const at = this.advance(3)
    const { bytes } = this
    bytes[at] = tag
    bytes[at + 1] = value >> 8
    bytes[at + 2] = value
  }

  private tagged32(tag: number, value: number): void {
    const at = this.advance(5)
    const { bytes } = this
    bytes[at] = tag
    bytes[at + 1] = value >> 24
    bytes[at + 2] = value >> 16
    bytes[at + 3] = value >> 8
    bytes[at + 4] = value
  }

  private tagged64(tag: number, value: number): void {
    const at = this.advance(9)
    this.bytes[at] = tag
    this.view.setBigInt64(at + 1, BigInt(value))
  }

  /** Takes `count` bytes and returns where they begin. Read `this.bytes` after it: it may have moved. */
  advance(count: number): number {
    const at = this.offset
    const end = at + count
    if (end > this.end) this.tooLarge()
    if (end > this.bytes.length) this.reserve(end)
    this.offset = end
    return at
  }

  private reserve(capacity: number): void {
    if (capacity <= this.bytes.length) return
    const old = this.bytes
    this.allocate(Math.max(capacity, old.length * 2))
    this.bytes.set(old.subarray(0, this.offset))
  }

  private allocate(capacity: number): void {
    this.bytes = new Uint8Array(capacity)
    this.view = new DataView(this.bytes.buffer)
  }

  private tooLarge(): never {
    throw new CodecFailure({ _tag: "TooLarge", limit: Math.min(this.limit, this.valueLimit) })
  }
}

/** A string as it is written, header and all: for keys, which are written again and again. */
export const written = (text: string): Uint8Array => {
  const writer = new Writer(defaultLimit, text.length + 5)
  writer.str(text)
  return writer.take()
}

function strHeaderBytes(length: number): number {
  return length < 32 ? 1 : length <= 0xff ? 2 : length <= 0xffff ? 3 : 5
}
