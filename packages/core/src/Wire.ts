/**
 * What travels between two threads: frames, many at a time.
 *
 * One `postMessage` for each call costs more than the call: 15 to 40 us when the other thread sleeps. So frames are
 * collected in one buffer, which goes through memory that both threads share (`RingBuffer`). Where there is none, where it
 * has no room, or when something lies beside the buffer, it is posted; a large one is moved. A frame is a kind, the id of
 * the call that it belongs to, and what the kind needs, written as MessagePack integers; values follow it as the bytes
 * that they are. What is large or cannot be bytes (see `Codec`) lies beside the buffer, in the message's list.
 *
 * | Frame | After the id |
 * |---|---|
 * | `call` | target, function, caller, flags, what they announce, the arguments |
 * | `reply` | one value: the answer, or the end of a stream |
 * | `failure` | one value: why there is no answer |
 * | `chunk` | a count, four bytes, and as many values: elements of a streamed answer |
 * | `ack` | a count: elements that the reader of a stream has taken |
 * | `interrupt` | nothing: the caller no longer waits. The call is still answered, once |
 * | `signal` | one value: what is no call's, such as a line of the log. Its id says what it is |
 */
import { CodecFailure } from "./CodecError.ts"
import { textOf } from "./Foreign.ts"
import { afterTurn } from "./internal/AfterTurn.ts"
import { Beside } from "./internal/msgpack/Beside.ts"
import { besideBytes, longest } from "./internal/msgpack/MsgPackFormat.ts"
import { Reader } from "./internal/msgpack/MsgPackReader.ts"
import { Writer } from "./internal/msgpack/MsgPackWriter.ts"
import { Line, type Member } from "./Line.ts"
import type { RingBuffer } from "./RingBuffer.ts"

export const Kind = { call: 1, reply: 2, failure: 3, chunk: 4, ack: 5, interrupt: 6, signal: 7 } as const

/** One end of something that carries messages: a worker, a `MessagePort`, a `Worker` of the web. */
export interface Port {
  /** Memory shared with the other end. Both ends have it, or neither; without it all is posted. */
  readonly ringBuffers?: RingBuffers
  /** Posts a structured clone; the buffers of `transfer` are moved, where that is possible. */
  readonly post: (message: unknown, transfer: ReadonlyArray<ArrayBuffer>) => void
  /**
   * Makes a buffer that was received immovable, so that values in it need not be copied out. Where a platform cannot,
   * each is: whoever moved one would take its neighbours along.
   */
  readonly seal?: (buffer: ArrayBuffer) => void
  /** Whether `post` copies also what is to be moved. */
  readonly copies?: boolean
  /** Sets who is told of messages. Those that came before wait for it. */
  readonly listen: (onMessage: (message: unknown) => void) => void
  /**
   * Worker side: polls for the next message on the stack, for a moment, and takes it: `wake` when bytes lie in the
   * ring, undefined when nothing comes. A thread that has gone to sleep is woken for 15 to 40 us of its sender's time.
   * Where a platform cannot, threads sleep.
   */
  readonly poll?: () => unknown
  /** Worker side: while `poll` polls it also looks whether this word changes, and then returns, so that the event loop delivers. */
  readonly watch?: (words: Int32Array, index: number) => void
  /** Owner's side: how long the event loop does not sleep while an answer may come soon, in milliseconds. Default: 0. */
  readonly busyPoll?: number
}

/** `out`: this end writes it. `in`: this end reads it. */
export interface RingBuffers {
  readonly out: RingBuffer
  readonly in: RingBuffer
}

/** The message that says only that something lies in the ring. */
export const wake = null

/** So many frames go to the ring before their turn ends, so that the other side works on them meanwhile. */
const ringFrames = 8

/**
 * Where there is no room in the ring, a batch of this many frames is posted before its turn ends; the next of the same
 * turn is twice as large. With 64 calls in flight 32 measured 1.5 times as fast as 64.
 */
const firstBatch = 32

/**
 * Up to so many frames are posted when the microtask ends, as what goes to the ring is: nobody waits longer than
 * needed. When there were more, the messages that have come meanwhile are read first, or batches would break into ever
 * smaller ones.
 */
const fewFrames = 4

/**
 * A batch of this many bytes, with the weight of what lies beside it, is posted at once: while more is copied the other
 * side would be idle, and megabytes that arrive at once make the engine collect garbage. What is received keeps its whole
 * message, so this bounds that too.
 */
const batchBytes = 64 * 1024

/** A message of up to this many bytes is a string, one character a byte: 0.5 us to post and read, where bytes take 1.4. */
const textBytes = 64

/** One of up to this many is copied: moving a buffer costs 1.3 us more than copying one of 24 bytes. */
const copiedBytes = 1024
const none: ReadonlyArray<ArrayBuffer> = []

/** Whose frames are sent. */
export interface Sender {
  readonly port: Port
  /** A message could not be posted, and its frames are lost. */
  readonly onFault: (detail: string) => void
  /** Told before anything of it can be read. */
  readonly onSend?: () => void
  /** The frames of a turn were sent, and no more are under way. */
  readonly onTurn: () => void
}

/** Collects frames, and writes them to the ring or posts them as one message. */
export class Outbox implements Member<Outbox> {
  previous: Outbox | undefined = undefined
  next: Outbox | undefined = undefined
  /** Whether its frames follow one that is being written to another outbox, and are not sent before that is. */
  readonly follows: boolean
  private readonly sender: Sender
  private readonly ring: RingBuffer | undefined
  private readonly writer = new Writer(longest, 4096)
  private frames = 0
  /** Frames since the last scheduled flush, also those that were sent before it. */
  private begun = 0
  private batchFrames = firstBatch
  private scheduled = false
  /** Whether the last batch was posted, and whether there were several frames the last time. */
  private posts = false
  private busy = false
  /** Whether a frame is begun whose writer has not come to its end. */
  isWriting = false
  private readonly flushScheduled = () => {
    this.scheduled = false
    unsent.remove(this)
    this.flush()
    this.busy = this.posts && this.begun > fewFrames
    this.begun = 0
    if (!this.busy) this.sender.onTurn()
  }

  constructor(sender: Sender, follows = false) {
    this.sender = sender
    this.follows = follows
    this.ring = sender.port.ringBuffers?.out
    this.writer.beside = this.emptyBeside()
  }

  private emptyBeside(): Beside {
    // What follows a frame that is not whole is posted after it: whose buffers it has may write to them before.
    return new Beside(this.sender.port.copies === true && !this.follows)
  }

  /**
   * Begins a frame: the caller writes the rest of it at once. One that cannot be completed is taken back with `rewind`.
   */
  begin(kind: number, id: number): Writer {
    this.makeRoom()
    return this.beginAtMark(kind, id)
  }

  /** As `begin`, where the mark is that was taken just now: makes no room, and the mark stays true. */
  beginAtMark(kind: number, id: number): Writer {
    if (!this.scheduled) {
      this.scheduled = true
      unsent.push(this)
      if (this.busy) afterTurn(this.flushScheduled)
      else queueMicrotask(this.flushScheduled)
    }
    this.frames++
    this.begun++
    this.writer.int(kind)
    this.writer.int(id)
    return this.writer
  }

  /** Makes room for a frame; where it can be rewound to. */
  mark(): number {
    this.makeRoom()
    return this.writer.size
  }

  /** Takes back what was written since the mark. */
  rewind(mark: number): void {
    this.writer.rewind(mark)
  }

  /** Whether what is there refers to buffers that their owners may write to soon. */
  get isLent(): boolean {
    return this.writer.beside!.isLent
  }

  private get isEmpty(): boolean {
    return this.writer.size === 0
  }

  /** A message was read: sends what the ring takes, or a batch that is full. What was told often asks for as much again. */
  flushRead(): void {
    if (this.frames >= this.batchFrames) this.flush()
    else this.writeToRing()
  }

  /** Sends what is there now. */
  flush(): void {
    this.batchFrames = firstBatch
    if (this.writeToRing()) return
    this.frames = 0
    if (this.isEmpty) return
    this.posts = true
    this.sender.onSend?.()
    const { list, transfer } = this.writer.beside!
    const head = this.head()
    const moved = head instanceof ArrayBuffer ? [head] : none
    if (list.length === 0) return this.post(head, moved)
    this.writer.beside = this.emptyBeside()
    this.post([head, ...list], [...moved, ...transfer])
  }

  /** Whether what is there has gone to the ring. */
  private writeToRing(): boolean {
    const { ring, writer } = this
    if (ring === undefined || this.isEmpty || writer.beside!.list.length > 0 || !ring.hasRoom(writer.size)) return false
    this.posts = false
    this.sender.onSend?.()
    ring.write(writer.bytes, writer.size)
    writer.reset()
    this.frames = 0
    if (ring.claimWake()) this.post(wake, none)
    return true
  }

  private head(): string | Uint8Array | ArrayBuffer {
    const { size } = this.writer
    if (size <= textBytes) return this.writer.takeText()
    return size <= copiedBytes ? this.writer.take() : this.writer.takeBuffer()
  }

  private post(message: unknown, transfer: ReadonlyArray<ArrayBuffer>): void {
    try {
      this.sender.port.post(message, transfer)
      if (message !== wake) this.ring?.posted()
    } catch (error) {
      this.sender.onFault(`a message cannot be posted: ${textOf(error)}`)
    }
  }

  private makeRoom(): void {
    if (this.follows) return
    if (this.frames >= ringFrames && this.writeToRing()) return
    const { beside, size } = this.writer
    if (this.frames < this.batchFrames && size + beside!.weight < batchBytes) return
    const larger = 2 * this.batchFrames
    this.flush()
    this.batchFrames = larger
  }
}

/** This thread's outboxes whose turn has not ended. */
const unsent = new Line<Outbox>()

/** Sends what this thread has to say to anybody: it is about to block. */
export const flushAll = (): void => {
  // One that begins a frame meanwhile joins the line.
  for (let outbox = unsent.first; outbox !== undefined; outbox = outbox.next) {
    if (!outbox.isWriting && !outbox.follows) outbox.flush()
  }
}

/** A message's frames, or a `CodecFailure` thrown when the message is none. */
export const open = (message: unknown, seal: Port["seal"]): Reader => {
  const [head, ...beside]: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
  if (typeof head === "string") return new Reader(bytesOf(head), beside)
  if (head instanceof Uint8Array) return new Reader(head, beside)
  if (!(head instanceof ArrayBuffer)) {
    throw new CodecFailure({ _tag: "Malformed", offset: 0, message: "a message is due that holds frames" })
  }
  seal?.(head)
  return new Reader(new Uint8Array(head), beside, seal !== undefined)
}

/** The frames of bytes from a ring. Few share a buffer with later ones: values are copied out of those. */
export const openBytes = (bytes: Uint8Array<ArrayBuffer>, seal: Port["seal"]): Reader => {
  const sealed = seal !== undefined && bytes.byteLength === bytes.buffer.byteLength
  if (sealed) seal(bytes.buffer)
  return new Reader(bytes, undefined, sealed)
}

const bytesOf = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

const besideFlag = 0x8000_0000

/**
 * Appends a value's length and the value. A large one is moved beside the buffer when its buffer holds nothing else, so
 * a value that is given to the wire is not its giver's any more.
 */
export const writeValue = (writer: Writer, value: Uint8Array): void => {
  if (value.byteLength < besideBytes || writer.beside === undefined)
    return writeRange(writer, value, 0, value.byteLength)
  const buffer = value.byteLength === value.buffer.byteLength ? value.buffer : value.slice().buffer
  writer.u32(
    besideFlag + writer.beside.lay(buffer instanceof ArrayBuffer ? buffer : value.slice().buffer, true, writer.size)
  )
}

/** As `writeValue`, a part of bytes that stay their owner's. `view`: of the bytes, where there is one. */
export const writeRange = (writer: Writer, bytes: Uint8Array, start: number, end: number, view?: DataView): void => {
  const length = end - start
  if (length >= besideBytes && writer.beside !== undefined) return writeValue(writer, bytes.slice(start, end))
  writer.u32(length)
  writer.raw(bytes, start, end, view)
}

/** The value that `writeValue` wrote: a view, valid for as long as it is kept, that also keeps the message it came in. */
export const readValue = (reader: Reader): Uint8Array => {
  const length = reader.u32()
  return length < besideFlag ? reader.raw(length) : valueBeside(reader, length)
}

/** Passes over the value that `writeValue` wrote. */
export const skipValue = (reader: Reader): void => {
  readValue(reader)
}

/** Reads the value where it lies: `read` is given a reader whose window it is. The reader is left after the value. */
export const withValue = <A>(reader: Reader, read: (value: Reader) => A): A => {
  const { end } = reader
  const length = reader.u32()
  if (length >= besideFlag) return read(reader.of(valueBeside(reader, length)))
  const start = reader.offset
  if (length > end - start) reader.malformed(start, "a value is longer than its message")
  reader.window(start, start + length)
  const value = read(reader)
  reader.window(start + length, end)
  return value
}

/** A reader of the value that the reader stands before, for later: it keeps the message. The reader is left after the value. */
export const laterValue = (reader: Reader): Reader => {
  const length = reader.u32()
  if (length >= besideFlag) return reader.of(valueBeside(reader, length))
  const start = reader.offset
  if (length > reader.end - start) reader.malformed(start, "a value is longer than its message")
  reader.offset = start + length
  return reader.part(start, start + length)
}

const valueBeside = (reader: Reader, length: number): Uint8Array => {
  const buffer = reader.beside?.[length - besideFlag]
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer)
  return reader.malformed(reader.offset, "a buffer is due beside the message")
}
