/**
 * Bytes from one thread to another through memory that both share, in the order in which they were written.
 *
 * One thread writes and one reads, each through an object of its own over the same memory; each method says whose it is.
 * What does not fit is posted as a message, and until that was taken so is all that follows it. So who reads the ring
 * before each message that he takes has everything in order. It lives as long as the two ends of a `Connection`.
 *
 * Bytes are set before the count of those written is stored, and copied out before the count of those read is. The writer
 * stores his count and then looks whether the reader sleeps; who falls asleep says so and then looks at the writer's count.
 * Atomics are sequentially consistent, so one of the two sees the other. A message needs no wake: it wakes by itself.
 */
import { CodecFailure } from "./CodecError.ts"

/** Bytes that lie in the ring at most. */
const capacity = 64 * 1024

/** Few bytes are read into a part of a buffer of so many: one of their own takes longer to make than to fill. */
const slabBytes = 16 * 1024
const fewBytes = 4 * 1024

/** Words of the head: the writer's two, the reader's two, and what both write, each in a cache line of their own. */
const Word = { written: 0, posted: 1, read: 16, taken: 17, awake: 32 } as const
const headBytes = 192

export class RingBuffer {
  readonly memory: SharedArrayBuffer
  private readonly head: Int32Array
  private readonly bytes: Uint8Array
  /** Writer's side: what the reader had read and taken when that was last looked at. */
  private seenRead = 0
  private seenTaken = 0
  private woke = false
  /** Reader's side. */
  private slab = new Uint8Array(0)
  private slabUsed = 0

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(headBytes + capacity)) {
    this.memory = memory
    this.head = new Int32Array(memory, 0, headBytes / 4)
    this.bytes = new Uint8Array(memory, headBytes)
  }

  // Counts wrap around at 32 bits: what is compared are differences.

  /** Writer's side: whether so many bytes can be written. If not they must be posted. */
  hasRoom(length: number): boolean {
    if (length > capacity) return false
    const { head } = this
    const posted = head[Word.posted]!
    if (this.seenTaken !== posted) this.seenTaken = Atomics.load(head, Word.taken)
    if (this.seenTaken !== posted) return false
    const end = head[Word.written]! + length
    if (((end - this.seenRead) | 0) > capacity) this.seenRead = Atomics.load(head, Word.read)
    return ((end - this.seenRead) | 0) <= capacity
  }

  /** Writer's side: the first `length` of these bytes, for which `hasRoom` has said that there is room. */
  write(from: Uint8Array, length: number): void {
    const before = this.head[Word.written]!
    const at = before & (capacity - 1)
    const first = Math.min(length, capacity - at)
    this.bytes.set(from.subarray(0, first), at)
    if (first < length) this.bytes.set(from.subarray(first, length), 0)
    Atomics.store(this.head, Word.written, before + length)
  }

  /** Writer's side: a message was posted. The reader may have taken it already. */
  posted(): void {
    Atomics.store(this.head, Word.posted, this.head[Word.posted]! + 1)
  }

  /** Writer's side: whether a message must wake the reader. True once for each time that he sleeps. */
  claimWake(): boolean {
    if (Atomics.load(this.head, Word.awake) !== 0 || Atomics.exchange(this.head, Word.awake, 1) !== 0) return false
    this.woke = true
    return true
  }

  /** Writer's side: whether the reader had to be woken since this was last asked. */
  hasWoken(): boolean {
    const { woke } = this
    this.woke = false
    return woke
  }

  /**
   * Reader's side: all that was written since; undefined when nothing was. More than 4 KiB have a buffer of their own. Throws a
   * `CodecFailure`, once, where the writer has not counted as a writer does.
   */
  read(): Uint8Array<ArrayBuffer> | undefined {
    const end = Atomics.load(this.head, Word.written)
    const before = this.head[Word.read]!
    const length = (end - before) | 0
    if (length === 0) return undefined
    if (length < 0 || length > capacity) {
      Atomics.store(this.head, Word.read, end)
      throw new CodecFailure({ _tag: "Malformed", offset: 0, message: `a ring of ${capacity} bytes holds ${length}` })
    }
    const at = before & (capacity - 1)
    const first = Math.min(length, capacity - at)
    const bytes = this.allocate(length)
    bytes.set(this.bytes.subarray(at, at + first))
    if (first < length) bytes.set(this.bytes.subarray(0, length - first), first)
    Atomics.store(this.head, Word.read, end)
    return bytes
  }

  private allocate(length: number): Uint8Array<ArrayBuffer> {
    if (length > fewBytes) return new Uint8Array(length)
    if (this.slab.length - this.slabUsed < length) {
      this.slab = new Uint8Array(slabBytes)
      this.slabUsed = 0
    }
    const start = this.slabUsed
    this.slabUsed += length
    return this.slab.subarray(start, start + length)
  }

  /** Reader's side. */
  get isEmpty(): boolean {
    return Atomics.load(this.head, Word.written) === this.head[Word.read]
  }

  /** Reader's side: whether a message is under way that was not taken. */
  get expectsMessage(): boolean {
    return Atomics.load(this.head, Word.posted) !== this.head[Word.taken]
  }

  /** Reader's side: a message was taken. */
  taken(): void {
    Atomics.store(this.head, Word.taken, this.head[Word.taken]! + 1)
  }

  /** Reader's side: he will look by himself, and is not woken until he sleeps. */
  stayAwake(): void {
    if (this.head[Word.awake] === 0) Atomics.store(this.head, Word.awake, 1)
  }

  /** Reader's side: he is to be woken from now on. False, and he must not sleep, when something lies in the ring. */
  sleep(): boolean {
    Atomics.store(this.head, Word.awake, 0)
    if (this.isEmpty) return true
    Atomics.store(this.head, Word.awake, 1)
    return false
  }

  /** Reader's side: a number that changes when something was written or posted. */
  get changes(): number {
    return (Atomics.load(this.head, Word.written) + Atomics.load(this.head, Word.posted)) | 0
  }
}
