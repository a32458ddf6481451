/**
 * Reads MessagePack from bytes that nobody vouches for.
 *
 * Every read is checked against the end of the input before it happens, and a length against the bytes that are left
 * before anything is allocated for it, so that a few hostile bytes cannot claim gigabytes. Strings are strict UTF-8.
 * Byte strings are copied out, except from sealed bytes (a view, from 512 bytes on) and from beside them. Give it
 * exactly the bytes of the value, not the memory they lie in: limits are relative to their length; one reader serves
 * all values of a message, a {@link Reader.window} each. Failures are thrown as `CodecFailure`; `Codec` catches them.
 */
import { CodecFailure, doesNotFit } from "../../CodecError.ts"
import { besideType, classes, className, maxDepth, scalarBytes, WireClass } from "./MsgPackFormat.ts"

/** From this length on a byte string of sealed bytes is a view: a copy of 1 KiB costs 2 us, and a view 80 ns. */
const sharedBytes = 512

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER)

export class Reader {
  readonly bytes: Uint8Array
  /** Where the next value begins, in bytes from the start of `bytes`. */
  offset = 0
  /** Where what may be read begins and ends. */
  private start = 0
  end: number
  /** What lies beside the bytes, where they came from another thread. */
  readonly beside: ReadonlyArray<unknown> | undefined
  /** Nesting depth of the value being read; kept here so that decoders need no second argument. */
  depth = 0
  /** Bytes that may still be read in vain, or keys compared: bounds the cost of hostile input to a multiple of its size. */
  fuel: number
  /** Whether values are read as MessagePack alone: what lies beside the bytes is not theirs. */
  private isPlain = false
  /** Made when it is needed: most values are small and hold no floats. */
  private made: DataView | undefined = undefined

  /** Whether byte strings may be views of `bytes`, because nobody writes there or moves its buffer any more. */
  private readonly sealed: boolean

  constructor(bytes: Uint8Array, beside?: ReadonlyArray<unknown>, sealed = false) {
    this.bytes = bytes
    this.end = bytes.length
    this.beside = beside
    this.sealed = sealed
    this.fuel = fuelFor(bytes.length)
  }

  /** A reader of other bytes with the same list beside them. They are not sealed: their byte strings are copied out. */
  of(bytes: Uint8Array): Reader {
    return new Reader(bytes, this.isPlain ? undefined : this.beside)
  }

  /** A reader of the value from `start` to `end`, both within `bytes`, for later. */
  part(start: number, end: number): Reader {
    const part = new Reader(this.bytes, this.isPlain ? undefined : this.beside, this.sealed)
    part.window(start, end)
    return part
  }

  /** Turns to the value from `start` to `end`, both within `bytes`, as if the reader had been made for it alone. */
  window(start: number, end: number): void {
    this.start = start
    this.offset = start
    this.end = end
    this.depth = 0
    this.fuel = fuelFor(end - start)
  }

  /** Reads values of somebody who writes MessagePack alone, and could name what lies beside the bytes for others. */
  plain<A>(read: (reader: Reader) => A): A {
    this.isPlain = true
    try {
      return read(this)
    } finally {
      this.isPlain = false
    }
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.end - this.offset
  }

  /** Goes one level deeper; who returns normally goes back. */
  enter(): void {
    if (++this.depth > maxDepth) throw new CodecFailure({ _tag: "TooDeep", limit: maxDepth })
  }

  /** Pays for bytes that will be read again, or for what costs as much. */
  spend(bytes: number, message = "too many members of a union begin like this value"): void {
    this.fuel -= bytes + 1
    if (this.fuel < 0) {
      throw new CodecFailure({
        _tag: "Malformed",
        offset: this.offset - this.start,
        message,
        final: true
      })
    }
  }

  /** The class of the value at the offset. */
  wireClass(): number {
    if (this.offset >= this.end) this.truncated()
    const tag = this.bytes[this.offset]!
    return tag === 0xc7 && this.isBeside() ? WireClass.bin : classes[tag]!
  }

  isNil(): boolean {
    return this.offset < this.end && this.bytes[this.offset] === 0xc0
  }

  nil(): void {
    if (this.next() !== 0xc0) this.unexpected("nil")
  }

  bool(): boolean {
    const tag = this.next()
    if (tag !== 0xc2 && tag !== 0xc3) this.unexpected("a boolean")
    return tag === 0xc3
  }

  /** Passes over a string if the next one is written like this, header and all: a key that is expected. */
  passes(written: Uint8Array): boolean {
    const { bytes, offset } = this
    const { length } = written
    if (length > this.end - offset) return false
    for (let i = 0; i < length; i++) if (bytes[offset + i] !== written[i]) return false
    this.offset = offset + length
    return true
  }

  /** A float of either width, or an integer that a `number` holds exactly. */
  float(): number {
    const { offset } = this
    if (this.end - offset >= 9 && this.bytes[offset] === 0xcb) {
      this.offset = offset + 9
      return this.view.getFloat64(offset + 1)
    }
    const tag = this.next()
    if (tag === 0xcb) return this.view.getFloat64(this.claim(8))
    if (tag === 0xca) return this.view.getFloat32(this.claim(4))
    if (classes[tag] !== WireClass.int) this.unexpected("a number")
    this.offset--
    return this.int()
  }

  /** Fills the array as long as the next value is written as a 64-bit float; returns how many were. */
  float64s(out: Array<number>): number {
    const { view } = this
    let { offset } = this
    const count = Math.min(out.length, Math.floor(this.remaining / 9))
    let i = 0
    for (; i < count && view.getUint8(offset) === 0xcb; i++, offset += 9) out[i] = view.getFloat64(offset + 1)
    this.offset = offset
    return i
  }

  /** An integer that a `number` holds exactly. A float is refused. */
  int(): number {
    const tag = this.next()
    if (tag < 0x80) return tag
    if (tag >= 0xe0) return tag - 0x100
    const { bytes } = this
    switch (tag) {
      case 0xcc:
        return bytes[this.claim(1)]!
      case 0xcd: {
        const at = this.claim(2)
        return (bytes[at]! << 8) | bytes[at + 1]!
      }
      case 0xce:
        return this.word(this.claim(4)) >>> 0
      case 0xd0:
        return (bytes[this.claim(1)]! << 24) >> 24
      case 0xd1: {
        const at = this.claim(2)
        return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!
      }
      case 0xd2:
        return this.word(this.claim(4))
      case 0xcf:
      case 0xd3: {
        this.offset--
        const wide = this.bigInt()
        if (wide > maxSafe || wide < -maxSafe) {
          throw doesNotFit(`Expected an integer that a number holds exactly, got ${wide}; use a bigint schema`)
        }
        return Number(wide)
      }
      default:
        return this.unexpected("an integer")
    }
  }

  /** Any integer, exactly. A float is refused. */
  bigInt(): bigint {
    const tag = this.next()
    if (tag === 0xcf) return this.view.getBigUint64(this.claim(8))
    if (tag === 0xd3) return this.view.getBigInt64(this.claim(8))
    this.offset--
    return BigInt(this.int())
  }

  str(): string {
    const length = this.strLength()
    const start = this.claim(length)
    if (length <= shortLength) {
      const short = this.shortAscii(start, length)
      if (short !== undefined) return short
    }
    try {
      return decoder.decode(this.bytes.subarray(start, start + length))
    } catch {
      return this.malformed(start, "a string is not valid UTF-8")
    }
  }

  /**
   * A copy, or a view of sealed bytes: it stays what it is when the input is freed, moved or overwritten. What lies beside
   * the bytes was sent for this value alone, and is given as it is.
   */
  bin(): Uint8Array<ArrayBuffer> {
    if (this.isBeside()) return this.binBeside()
    const tag = this.next()
    if (tag < 0xc4 || tag > 0xc6) this.unexpected("bytes")
    const length = this.uint(tag - 0xc4)
    const start = this.claim(length)
    const { bytes } = this
    if (this.sealed && length >= sharedBytes) return bytes.subarray(start, start + length) as Uint8Array<ArrayBuffer>
    // Of a subclass, such as Node's Buffer, `slice` may be something else.
    return bytes.constructor === Uint8Array
      ? (bytes.slice(start, start + length) as Uint8Array<ArrayBuffer>)
      : new Uint8Array(bytes.subarray(start, start + length))
  }

  /** A value that only the structured clone can carry: whoever asks for it checks what it is. */
  cloned(): unknown {
    if (!this.isBeside()) {
      this.next()
      this.unexpected("a value beside the bytes")
    }
    const at = this.claim(15)
    return this.besideAt(at)
  }

  /** Four bytes, big-endian: no MessagePack value, for lengths and the like between values. */
  u32(): number {
    return this.word(this.claim(4)) >>> 0
  }

  /** The next bytes as they are: a view. */
  raw(length: number): Uint8Array {
    const start = this.claim(length)
    return this.bytes.subarray(start, start + length)
  }

  /** The number of items that follow. Each takes a byte or more, so it is never larger than what is left. */
  arrayHeader(): number {
    const tag = this.next()
    if (tag >= 0x90 && tag <= 0x9f) return this.count(tag & 0x0f, 1)
    if (tag !== 0xdc && tag !== 0xdd) this.unexpected("an array")
    return this.count(this.uint(tag - 0xdb), 1)
  }

  /** The number of key and value pairs that follow, each two bytes or more. */
  mapHeader(): number {
    const tag = this.next()
    if (tag >= 0x80 && tag <= 0x8f) return this.count(tag & 0x0f, 2)
    if (tag !== 0xde && tag !== 0xdf) this.unexpected("a map")
    return this.count(this.uint(tag - 0xdd), 2)
  }

  /** Passes over one value of any kind and depth, in constant space. */
  skip(): void {
    for (let values = 1; values > 0; values--) {
      const tag = this.next()
      switch (classes[tag]) {
        case WireClass.str:
          this.offset--
          this.claim(this.strLength())
          break
        case WireClass.bin:
          this.claim(this.uint(tag - 0xc4))
          break
        case WireClass.array:
          this.offset--
          values += this.arrayHeader()
          break
        case WireClass.map:
          this.offset--
          values += this.mapHeader() * 2
          break
        case WireClass.ext:
          if (tag === 0xc1) this.malformed(this.offset - 1, "the byte c1 is not MessagePack")
          this.claim(tag >= 0xd4 ? 1 + (1 << (tag - 0xd4)) : 1 + this.uint(tag - 0xc7))
          break
        case WireClass.int:
        case WireClass.float:
          if (tag >= 0xca && tag <= 0xd3) this.claim(scalarBytes[tag - 0xca]!)
      }
    }
  }

  /** Fails at an offset in `bytes`: the error counts from where the value's window begins. */
  malformed(offset: number, message: string): never {
    throw new CodecFailure({ _tag: "Malformed", offset: offset - this.start, message })
  }

  private isBeside(): boolean {
    const { bytes, offset } = this
    return (
      this.beside !== undefined &&
      !this.isPlain &&
      bytes[offset] === 0xc7 &&
      this.end - offset >= 15 &&
      isBesideHeader(bytes, offset)
    )
  }

  private binBeside(): Uint8Array<ArrayBuffer> {
    const at = this.claim(15)
    const buffer = this.besideAt(at)
    const offset = this.word(at + 7) >>> 0
    const length = this.word(at + 11) >>> 0
    if (!(buffer instanceof ArrayBuffer) || offset + length > buffer.byteLength) {
      return this.malformed(at, "a buffer of this length is due beside the bytes")
    }
    return new Uint8Array(buffer, offset, length)
  }

  private besideAt(at: number): unknown {
    const index = this.word(at + 3) >>> 0
    return index < this.beside!.length ? this.beside![index] : this.malformed(at, "nothing lies beside the bytes there")
  }

  private strLength(): number {
    const tag = this.next()
    if (tag >= 0xa0 && tag <= 0xbf) return tag & 0x1f
    if (tag < 0xd9 || tag > 0xdb) this.unexpected("a string")
    return this.uint(tag - 0xd9)
  }

  /** Decoders of text cost more to call than a short string to read. One array of a length serves for ever. */
  private shortAscii(start: number, length: number): string | undefined {
    const { bytes } = this
    const units = unitsOf[length]!
    for (let i = 0; i < length; i++) {
      const byte = bytes[start + i]!
      if (byte >= 0x80) return undefined
      units[i] = byte
    }
    return String.fromCharCode.apply(null, units)
  }

  /** An unsigned big-endian length of 2^width bytes. */
  private uint(width: number): number {
    const { bytes } = this
    if (width === 0) return bytes[this.claim(1)]!
    if (width === 2) return this.word(this.claim(4)) >>> 0
    const at = this.claim(2)
    return (bytes[at]! << 8) | bytes[at + 1]!
  }

  /** Four bytes as a signed integer. */
  private word(at: number): number {
    const { bytes } = this
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }

  private get view(): DataView {
    return (this.made ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength))
  }

  private count(items: number, bytesEach: number): number {
    if (items * bytesEach > this.remaining) this.truncated()
    return items
  }

  private next(): number {
    if (this.offset >= this.end) this.truncated()
    return this.bytes[this.offset++]!
  }

  /** Takes `count` bytes and returns where they begin. */
  private claim(count: number): number {
    const start = this.offset
    if (count > this.end - start) this.truncated()
    this.offset = start + count
    return start
  }

  private truncated(): never {
    return this.malformed(this.offset, "the bytes end in the middle of a value")
  }

  /** Reports the byte just read. */
  private unexpected(wanted: string): never {
    const at = this.offset - 1
    return this.malformed(at, `${wanted} is due, not ${className(this.bytes[at]!)}`)
  }
}

function fuelFor(length: number): number {
  return length * 64 + 4096
}

function isBesideHeader(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset + 1] === 12 && bytes[offset + 2] === besideType
}

/** The longest string that is read without a decoder; measured. */
const shortLength = 40
const unitsOf = Array.from({ length: shortLength + 1 }, (_, length) => new Array<number>(length).fill(0))
