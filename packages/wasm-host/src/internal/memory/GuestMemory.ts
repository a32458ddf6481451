/**
 * The linear memory of one instance, and its allocator.
 *
 * The side that serialises allocates and the receiver frees (docs/abi.md, "Who allocates, who frees"): values for the guest go
 * through `tryWrite`, values from the guest through `take` and `read`, which free them exactly once. Any call into the guest may
 * grow the memory, and detach what looks at it: that is made anew when it is found detached.
 */
import * as Codec from "@fiberhost/core/Codec"
import * as GuestError from "../../GuestError.ts"
import * as FatPtr from "./FatPtr.ts"

/** The longest value that a guest accepts, in bytes: it traps on a length of 2^24 and more. */
export const maxValueBytes = 0xff_ffff

/** A value of the guest's that is longer than it may be. Both in bytes. */
export class TooLong {
  readonly length: number
  readonly limit: number
  constructor(length: number, limit: number) {
    this.length = length
    this.limit = limit
  }

  get detail(): string {
    return `it is ${this.length} bytes long, and its guest's limit is ${this.limit}`
  }
}

export class GuestMemory {
  private readonly memory: WebAssembly.Memory
  private readonly malloc: (length: number) => bigint
  private readonly free: (ptr: bigint) => void
  private readonly valueBytes: number
  /** Whether other threads may write to it. It is not detached when it grows. */
  private readonly isShared: boolean
  private bytes: Uint8Array<ArrayBuffer>
  private view: DataView<ArrayBuffer>
  private reader: Codec.Reader

  /** `valueBytes`: the longest value that is taken from the guest. */
  constructor(
    memory: WebAssembly.Memory,
    malloc: (length: number) => bigint,
    free: (ptr: bigint) => void,
    valueBytes: number
  ) {
    this.memory = memory
    this.valueBytes = valueBytes
    this.malloc = malloc
    this.free = free
    this.isShared = !(memory.buffer instanceof ArrayBuffer)
    this.bytes = new Uint8Array(memory.buffer)
    this.view = new DataView(memory.buffer)
    this.reader = new Codec.Reader(this.bytes)
  }

  /** Bytes of linear memory that the instance has now. */
  get byteLength(): number {
    return this.current().length
  }

  /**
   * Host to guest: the first `length` bytes of the value, copied into as many that are allocated: the guest frees with the
   * length it was given. `source`: a view of the value, where there is one. Undefined when the guest has no memory left:
   * `__fp_malloc` then answers offset 0 and does not trap.
   */
  tryWrite(value: Uint8Array, length: number = value.length, source?: DataView): bigint | undefined {
    const ptr = this.malloc(length)
    const at = FatPtr.offsetOf(ptr)
    if (!this.isAllocated(at, length)) return undefined
    const { bytes } = this
    if (source !== undefined && length < Codec.longLength) Codec.copyWords(source, 0, length, this.view, at)
    // The engine's copy costs more to call than a few bytes to write.
    else if (length > 64) bytes.set(length === value.length ? value : value.subarray(0, length), at)
    else for (let i = 0; i < length; i++) bytes[at + i] = value[i]!
    return ptr
  }

  /** Host to guest: three u32, little-endian. Throws a `GuestFault` when there is no memory. */
  writeWords(first: number, second: number, third: number): bigint {
    const ptr = this.malloc(12)
    const offset = FatPtr.offsetOf(ptr)
    if (!this.isAllocated(offset, 12)) return outOfMemory(12)
    const { view } = this
    view.setUint32(offset, first, true)
    view.setUint32(offset + 4, second, true)
    view.setUint32(offset + 8, third, true)
    return ptr
  }

  /**
   * Guest to host: copies the value out and frees it; one that is longer than the guest's limit is only freed, and is
   * `TooLong`. The null pointer is the empty value and is not freed. Throws a `GuestFault` for a pointer that does not lie
   * in memory.
   */
  take(ptr: bigint): Uint8Array<ArrayBuffer> | TooLong {
    const offset = FatPtr.offsetOf(ptr)
    const length = FatPtr.lengthOf(ptr)
    this.check(offset, length)
    const copy =
      length > this.valueBytes ? new TooLong(length, this.valueBytes) : this.bytes.slice(offset, offset + length)
    if (ptr !== 0n) this.free(ptr)
    return copy
  }

  /** As `take`, but `read` reads the value where it lies; it copies what it keeps, and does not enter the guest. */
  read<A>(ptr: bigint, read: (value: Codec.Reader) => A): A | TooLong {
    const offset = FatPtr.offsetOf(ptr)
    const length = FatPtr.lengthOf(ptr)
    this.check(offset, length)
    if (length > this.valueBytes || this.isShared) {
      const copy = this.take(ptr)
      return copy instanceof TooLong ? copy : read(new Codec.Reader(copy))
    }
    this.reader.window(offset, offset + length)
    const value = read(this.reader)
    if (ptr !== 0n) this.free(ptr)
    return value
  }

  /** Guest to host: checks and frees a value that nobody reads. */
  drop(ptr: bigint): void {
    this.check(FatPtr.offsetOf(ptr), FatPtr.lengthOf(ptr))
    if (ptr !== 0n) this.free(ptr)
  }

  /** Guest to host: `look` looks at the value where it lies, and does not enter the guest. It stays the guest's. */
  look<A>(ptr: bigint, look: (bytes: Uint8Array, start: number, end: number, view: DataView) => A): A {
    const offset = FatPtr.offsetOf(ptr)
    const length = FatPtr.lengthOf(ptr)
    this.check(offset, length)
    return look(this.bytes, offset, offset + length, this.view)
  }

  /** Whether the value of the guest's is longer than it may be. Throws as `take` does. */
  tooLong(ptr: bigint): TooLong | undefined {
    const length = FatPtr.lengthOf(ptr)
    this.check(FatPtr.offsetOf(ptr), length)
    return length > this.valueBytes ? new TooLong(length, this.valueBytes) : undefined
  }

  /** Gives a block back that the guest was handed but does not own: an AsyncValue, or an argument not delivered. */
  release(ptr: bigint): void {
    this.free(ptr)
  }

  /** In bounds: what is written elsewhere would throw a RangeError, blamed on the guest's stack. */
  private isAllocated(offset: number, length: number): boolean {
    if (offset === 0) return false
    if (offset + length <= this.current().length) return true
    throw new GuestError.GuestFault(
      new GuestError.ProtocolViolation({
        detail: `__fp_malloc(${length}) answered offset ${offset}, outside its memory`
      })
    )
  }

  private check(offset: number, length: number): void {
    const { length: size } = this.current()
    if (offset + length <= size && length <= maxValueBytes) return
    throw new GuestError.GuestFault(
      new GuestError.ProtocolViolation({
        detail: `a value at offset ${offset} of ${length} bytes does not lie in its memory of ${size} bytes`
      })
    )
  }

  private current(): Uint8Array<ArrayBuffer> {
    if (this.bytes.length === 0 || this.isShared) {
      this.bytes = new Uint8Array(this.memory.buffer)
      this.view = new DataView(this.memory.buffer)
      this.reader = new Codec.Reader(this.bytes)
    }
    return this.bytes
  }
}

const outOfMemory = (bytes: number): never => {
  throw new GuestError.GuestFault(new GuestError.OutOfMemory({ bytes }))
}
