/**
 * Bytes from one thread to another through memory that both share, in the order in which they were written.
 *
 * One thread writes, one reads, and neither waits for the other. What does not fit is not written: it is posted as a
 * message, and until that was taken so is all that follows it. So a reader who reads the ring before each message that
 * he takes has everything in order. A reader who goes to sleep says so, and is then sent a message that wakes him.
 */

/** Bytes that lie in the ring at most. */
const size = 64 * 1024

/** What was read is a part of a buffer of so many bytes, unless it is more than a quarter of that. */
const chunkBytes = 16 * 1024

/** Words, those that one side writes in a cache line of their own: the writer's two, the reader's two, and what both write. */
const written = 0
const messages = 1
const read = 16
const taken = 17
const awake = 32
const headBytes = 192

export class RingBuffer {
  readonly memory: SharedArrayBuffer
  private readonly words: Int32Array
  private readonly bytes: Uint8Array
  /** Writer's side: what the reader had read and taken when it was last looked at. */
  private readBefore = 0
  private takenBefore = 0
  /** Reader's side: few bytes are a part of this, since a buffer of their own takes longer to make than to fill. */
  private chunk = new Uint8Array(0)
  private used = 0

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(headBytes + size)) {
    this.memory = memory
    this.words = new Int32Array(memory, 0, headBytes / 4)
    this.bytes = new Uint8Array(memory, headBytes)
  }

  // Counts wrap around: what is compared are differences.

  /** Writer's side: whether so many bytes can be written. If not they must be posted. */
  hasRoom(length: number): boolean {
    const { words } = this
    const sent = words[messages]!
    if (this.takenBefore !== sent && (this.takenBefore = Atomics.load(words, taken)) !== sent) return false
    const end = words[written]! + length
    if (((end - this.readBefore) | 0) <= size) return true
    this.readBefore = Atomics.load(words, read)
    return ((end - this.readBefore) | 0) <= size
  }

  /** Writer's side: the first bytes of these, for which there is room, for the reader. */
  write(from: Uint8Array, length: number): void {
    const { words } = this
    const before = words[written]!
    const at = before & (size - 1)
    const first = Math.min(length, size - at)
    this.bytes.set(from.subarray(0, first), at)
    if (first < length) this.bytes.set(from.subarray(first, length), 0)
    Atomics.store(words, written, before + length)
  }

  /** Writer's side: a message was posted. */
  posted(): void {
    Atomics.add(this.words, messages, 1)
  }

  /** Writer's side: whether the reader sleeps, and nobody has woken him yet. */
  mustWake(): boolean {
    return Atomics.load(this.words, awake) === 0 && Atomics.exchange(this.words, awake, 1) === 0
  }

  /** Reader's side: all that has been written and not been read; undefined when there is nothing. */
  read(): Uint8Array<ArrayBuffer> | undefined {
    const { words } = this
    const end = Atomics.load(words, written)
    const before = words[read]!
    const length = (end - before) | 0
    if (length === 0) return undefined
    const at = before & (size - 1)
    const first = Math.min(length, size - at)
    const bytes = this.allocate(length)
    bytes.set(this.bytes.subarray(at, at + first))
    if (first < length) bytes.set(this.bytes.subarray(0, length - first), first)
    Atomics.store(words, read, end)
    return bytes
  }

  private allocate(length: number): Uint8Array<ArrayBuffer> {
    if (length > chunkBytes / 4) return new Uint8Array(length)
    if (this.chunk.length - this.used < length) {
      this.chunk = new Uint8Array(chunkBytes)
      this.used = 0
    }
    return this.chunk.subarray(this.used, (this.used += length))
  }

  /** Reader's side: nothing lies in it. */
  get isEmpty(): boolean {
    return Atomics.load(this.words, written) === this.words[read]
  }

  /** Reader's side: a message was posted that has not been taken. */
  get expectsMessage(): boolean {
    return Atomics.load(this.words, messages) !== this.words[taken]
  }

  /** Reader's side: a message was taken. */
  take(): void {
    Atomics.add(this.words, taken, 1)
  }

  /** Reader's side: he looks by himself. */
  wake(): void {
    if (this.words[awake] === 0) Atomics.store(this.words, awake, 1)
  }

  /** Reader's side: he must be woken from now on. False, and he must not sleep, when something lies in it already. */
  sleep(): boolean {
    Atomics.store(this.words, awake, 0)
    if (this.isEmpty) return true
    Atomics.store(this.words, awake, 1)
    return false
  }

  /** Changes when something was written or posted. */
  get count(): number {
    return (Atomics.load(this.words, written) + Atomics.load(this.words, messages)) | 0
  }
}
