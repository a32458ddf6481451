/**
 * The linear memory of one instance, and its allocator.
 *
 * The side that serialises allocates and the receiver frees (docs/abi.md, "Who allocates, who frees"): values for the guest go
 * through `write`, values from the guest through `take`, which copies and then frees exactly once. Any call into the
 * guest may grow the memory and detach every view, so a view is made after the call and dropped before the next.
 */
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
  readonly memory: WebAssembly.Memory
  private readonly malloc: (length: number) => bigint
  private readonly free: (ptr: bigint) => void
  private readonly valueBytes: number
  private bytes: Uint8Array<ArrayBuffer>

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
    this.bytes = new Uint8Array(memory.buffer)
  }

  /** Bytes of linear memory that the instance has now. */
  get byteLength(): number {
    return this.memory.buffer.byteLength
  }

  /**
   * Host to guest: allocates exactly the value's length (the guest frees with the length it was given) and copies.
   * Undefined when the guest has no memory left: `__fp_malloc` then answers offset 0 and does not trap.
   */
  tryWrite(value: Uint8Array): bigint | undefined {
    const ptr = this.tryAllocate(value.byteLength)
    if (ptr !== undefined) this.view().set(value, FatPtr.offsetOf(ptr))
    return ptr
  }

  /** As `tryWrite`, for a value that the guest waits for on its stack: throws a `GuestFault` when there is no memory. */
  write(value: Uint8Array): bigint {
    return this.tryWrite(value) ?? outOfMemory(value.byteLength)
  }

  /** Host to guest: `length` zeroed bytes. Throws as `write` does. */
  writeZeros(length: number): bigint {
    const ptr = this.tryAllocate(length) ?? outOfMemory(length)
    const offset = FatPtr.offsetOf(ptr)
    this.view().fill(0, offset, offset + length)
    return ptr
  }

  /** Host to guest: overwrites one little-endian u32. The offset lies in a block that this host allocated. */
  setU32(offset: number, value: number): void {
    new DataView(this.memory.buffer).setUint32(offset, value, true)
  }

  /**
   * Guest to host: copies the value out and frees it; one that is longer than the guest's limit is only freed, and is
   * `TooLong`. The null pointer is the empty value and is not freed. Throws a `GuestFault` for a pointer that does not lie
   * in memory.
   */
  take(ptr: bigint): Uint8Array<ArrayBuffer> | TooLong {
    const offset = FatPtr.offsetOf(ptr)
    const length = FatPtr.lengthOf(ptr)
    const view = this.view()
    if (offset + length > view.byteLength || length > maxValueBytes) {
      throw new GuestError.GuestFault(
        new GuestError.ProtocolViolation({
          detail: `a value at offset ${offset} of ${length} bytes does not lie in its memory of ${view.byteLength} bytes`
        })
      )
    }
    const copy = length > this.valueBytes ? new TooLong(length, this.valueBytes) : view.slice(offset, offset + length)
    if (ptr !== 0n) this.free(ptr)
    return copy
  }

  /** Gives a block back that the guest was handed but does not own: an AsyncValue, or an argument not delivered. */
  release(ptr: bigint): void {
    this.free(ptr)
  }

  private tryAllocate(length: number): bigint | undefined {
    const ptr = this.malloc(length)
    const offset = FatPtr.offsetOf(ptr)
    if (offset === 0) return undefined
    // In bounds: what is written there would throw a RangeError otherwise, blamed on the guest's stack.
    if (offset + length > this.memory.buffer.byteLength) {
      throw new GuestError.GuestFault(
        new GuestError.ProtocolViolation({
          detail: `__fp_malloc(${length}) answered offset ${offset}, outside its memory`
        })
      )
    }
    return ptr
  }

  private view(): Uint8Array<ArrayBuffer> {
    if (this.bytes.byteLength === 0 || this.bytes.buffer !== this.memory.buffer) {
      this.bytes = new Uint8Array(this.memory.buffer)
    }
    return this.bytes
  }
}

const outOfMemory = (bytes: number): never => {
  throw new GuestError.GuestFault(new GuestError.OutOfMemory({ bytes }))
}
