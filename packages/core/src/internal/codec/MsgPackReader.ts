/**
 * Reads MessagePack from bytes that nobody vouches for.
 *
 * Every read is checked against the end of the input before it happens, and a length against the bytes that are left
 * before anything is allocated for it, so that a few hostile bytes cannot claim gigabytes. Strings are strict UTF-8,
 * byte strings are copied out. Give it exactly the bytes of the value, not the memory they lie in: limits are relative
 * to their length. Failures are thrown as `CodecFailure`; `Codec` catches them.
 */
import { CodecFailure, doesNotFit } from "../../CodecError.ts"

/** What a value's first byte says it is, one bit each, so that a set of them is a number. */
export const WireClass = { nil: 1, bool: 2, int: 4, float: 8, str: 16, bin: 32, array: 64, map: 128, ext: 256 } as const

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER)

export class Reader {
  readonly bytes: Uint8Array
  /** Where the next value begins, in bytes from the start of `bytes`. */
  offset = 0
  /** Nesting depth of the value being read; kept here so that decoders need no second argument. */
  depth = 0
  /** Bytes that unions may still read in vain: bounds the cost of hostile input to a multiple of its size. */
  fuel: number
  private readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.fuel = bytes.length * 64 + 4096
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.bytes.length - this.offset
  }

  /** Pays for bytes that will be read again. */
  spend(bytes: number): void {
    this.fuel -= bytes + 1
    if (this.fuel < 0) {
      throw new CodecFailure({
        _tag: "Malformed",
        offset: this.offset,
        message: "too many members of a union begin like this value",
        final: true
      })
    }
  }

  /** The class of the value at the offset. */
  wireClass(): number {
    if (this.offset >= this.bytes.length) this.truncated()
    return classOf(this.bytes[this.offset]!)
  }

  isNil(): boolean {
    return this.offset < this.bytes.length && this.bytes[this.offset] === 0xc0
  }

  nil(): void {
    if (this.next() !== 0xc0) this.unexpected("nil")
  }

  bool(): boolean {
    const tag = this.next()
    if (tag !== 0xc2 && tag !== 0xc3) this.unexpected("a boolean")
    return tag === 0xc3
  }

  /** A float of either width, or an integer that a `number` holds exactly. */
  float(): number {
    const tag = this.next()
    if (tag === 0xcb) return this.view.getFloat64(this.claim(8))
    if (tag === 0xca) return this.view.getFloat32(this.claim(4))
    if (classOf(tag) !== WireClass.int) this.unexpected("a number")
    this.offset--
    return this.int()
  }

  /** An integer that a `number` holds exactly. A float is refused. */
  int(): number {
    const start = this.offset
    const tag = this.next()
    if (tag < 0x80) return tag
    if (tag >= 0xe0) return tag - 0x100
    switch (tag) {
      case 0xcc:
        return this.bytes[this.claim(1)]!
      case 0xcd:
        return this.view.getUint16(this.claim(2))
      case 0xce:
        return this.view.getUint32(this.claim(4))
      case 0xd0:
        return this.view.getInt8(this.claim(1))
      case 0xd1:
        return this.view.getInt16(this.claim(2))
      case 0xd2:
        return this.view.getInt32(this.claim(4))
      case 0xcf:
      case 0xd3: {
        this.offset = start
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
    if (length < 24) {
      const short = this.shortAscii(start, length)
      if (short !== undefined) return short
    }
    try {
      return decoder.decode(this.bytes.subarray(start, start + length))
    } catch {
      return this.malformed(start, "a string is not valid UTF-8")
    }
  }

  /** A copy: it stays what it is when the input is freed, moved or overwritten. */
  bin(): Uint8Array<ArrayBuffer> {
    const tag = this.next()
    if (tag < 0xc4 || tag > 0xc6) this.unexpected("bytes")
    const length = this.uint(tag - 0xc4)
    const start = this.claim(length)
    return new Uint8Array(this.bytes.subarray(start, start + length))
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
      switch (classOf(tag)) {
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

  malformed(offset: number, message: string): never {
    throw new CodecFailure({ _tag: "Malformed", offset, message })
  }

  private strLength(): number {
    const tag = this.next()
    if (tag >= 0xa0 && tag <= 0xbf) return tag & 0x1f
    if (tag < 0xd9 || tag > 0xdb) this.unexpected("a string")
    return this.uint(tag - 0xd9)
  }

  private shortAscii(start: number, length: number): string | undefined {
    let out = ""
    for (let i = start; i < start + length; i++) {
      const byte = this.bytes[i]!
      if (byte >= 0x80) return undefined
      out += String.fromCharCode(byte)
    }
    return out
  }

  /** An unsigned big-endian length of 2^width bytes. */
  private uint(width: number): number {
    if (width === 0) return this.bytes[this.claim(1)]!
    return width === 1 ? this.view.getUint16(this.claim(2)) : this.view.getUint32(this.claim(4))
  }

  private count(items: number, bytesEach: number): number {
    if (items * bytesEach > this.remaining) this.truncated()
    return items
  }

  private next(): number {
    if (this.offset >= this.bytes.length) this.truncated()
    return this.bytes[this.offset++]!
  }

  /** Takes `count` bytes and returns where they begin. */
  private claim(count: number): number {
    const start = this.offset
    if (count > this.bytes.length - start) this.truncated()
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

/** Payload bytes of the tags ca to d3. */
const scalarBytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8]

function classOf(tag: number): number {
  if (tag < 0x80 || tag >= 0xe0) return WireClass.int
  if (tag < 0x90) return WireClass.map
  if (tag < 0xa0) return WireClass.array
  if (tag < 0xc0) return WireClass.str
  if (tag === 0xc0) return WireClass.nil
  if (tag === 0xc2 || tag === 0xc3) return WireClass.bool
  if (tag >= 0xc4 && tag <= 0xc6) return WireClass.bin
  if (tag === 0xca || tag === 0xcb) return WireClass.float
  if (tag >= 0xcc && tag <= 0xd3) return WireClass.int
  if (tag >= 0xd9 && tag <= 0xdb) return WireClass.str
  if (tag === 0xdc || tag === 0xdd) return WireClass.array
  if (tag === 0xde || tag === 0xdf) return WireClass.map
  return WireClass.ext
}

function className(tag: number): string {
  const found = classOf(tag)
  return Object.entries(WireClass).find(([, bit]) => bit === found)![0]
}
