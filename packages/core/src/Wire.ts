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
import { besideBytes } from "./internal/msgpack/MsgPackFormat.ts"
import { Reader } from "./internal/msgpack/MsgPackReader.ts"
import type { Writer } from "./internal/msgpack/MsgPackWriter.ts"
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
