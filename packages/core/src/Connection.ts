/**
 * One end of the wire between two threads: calls that this side makes, and calls that it serves.
 *
 * A connection knows bytes. Who calls hands in an {@link OutgoingCall}, which writes its arguments and is told its
 * answer; who serves is a {@link Server}. Each call is answered exactly once, also one that was interrupted: until then
 * its id is taken. A connection ends when its owner says that its thread has; every call that has no answer then is told
 * so. A breach of the protocol is told to the owner.
 */
import { type CodecError, CodecFailure, toCodecError } from "./CodecError.ts"
import { isA, textOf, throwLater } from "./Foreign.ts"
import * as CallerContext from "./internal/CallerContext.ts"
import { Inbox, type Receiver } from "./internal/Inbox.ts"
import type { Reader } from "./internal/msgpack/MsgPackReader.ts"
import type { Writer } from "./internal/msgpack/MsgPackWriter.ts"
import { Outboxes } from "./internal/Outboxes.ts"
import type { Exit } from "./Thread.ts"
import * as Wire from "./Wire.ts"

/** A call from this side. What it is told, it is told on the stack of the message; a reader is valid that long. */
export interface OutgoingCall {
  /** What is called: `target` is a guest's number, or 0; `caller` the other side's call that this one is made for, or 0. */
  readonly target: number
  readonly index: number
  readonly caller: number
  readonly flags: number
  /** Milliseconds that the caller waits at most; undefined or `Infinity` for as long as it takes. */
  readonly timeLeft?: number
  /** What else of the caller the function runs under, as it crosses: see `CallerContext`. */
  readonly callerContext?: Uint8Array | undefined
  /** Appends one value for each argument, or says what does not fit. */
  readonly writeArguments: (writer: Writer) => CodecError | undefined
  /** The reader stands before one value. */
  readonly onReply: (reader: Reader) => void
  readonly onFailure: (reader: Reader) => void
  /** The reader stands before `count` values. */
  readonly onChunk: (reader: Reader, count: number) => void
  /** The thread ended first. */
  readonly onLost: (why: Exit) => void
}

/** The caller reads the answer where it is typed, so large bytes in it may lie beside. Otherwise it is bytes to the caller. */
export const typedFlag = 1
/** The caller's thread is blocked until it is answered, through its own channel. */
export const blockingFlag = 2

/** Before the arguments stands how many milliseconds the caller waits at most. */
export const deadlineFlag = 32
/** Then what else crosses of the caller's context. */
export const contextFlag = 64

/** What serves the other side's calls. It answers through the connection, each call once. */
export interface Server {
  /** Whether nothing but a message can bring it on, so that its thread may poll for one on the stack. */
  readonly awaitsMessage: boolean
  /** Told before anything that was sent can be read by the other side. */
  readonly onSend?: () => void
  /** The reader stands before the arguments. */
  readonly onCall: (call: IncomingCall, reader: Reader) => void
  readonly onInterrupt: (id: number) => void
  readonly onAck: (id: number, count: number) => void
  readonly onSignal: (id: number, reader: Reader) => void
}

export interface IncomingCall {
  readonly id: number
  readonly target: number
  readonly index: number
  readonly caller: number
  readonly flags: number
  /** Milliseconds that the caller waits at most; `Infinity` for as long as it takes. */
  readonly timeLeft: number
  readonly callerContext: CallerContext.CallerContext | undefined
}

export class Connection implements Receiver {
  private readonly port: Wire.Port
  private readonly outboxes: Outboxes
  private readonly server: Server
  private readonly onFault: (detail: string) => void
  private readonly calls: Array<OutgoingCall | undefined> = [undefined]
  private readonly free: Array<number> = []
  private ended: Exit | undefined
  /** When what has been answered must be sent, whatever else is to be done. */
  private overdue = 0
  private readonly inbox: Inbox

  /** `onFault`: the other side sent something else than frames, or frames were lost. Its owner ends the thread, and the connection. */
  constructor(port: Wire.Port, server: Server, onFault: (detail: string) => void) {
    this.port = port
    this.outboxes = new Outboxes({ port, onFault, onSend: () => server.onSend?.(), onTurn: () => this.inbox.asked() })
    this.server = server
    this.onFault = onFault
    this.inbox = new Inbox(port, this)
  }

  /**
   * Sends what is there now: who is about to hold up its thread, or to end it, calls it. Within a writer of a frame it is
   * sent with that frame.
   */
  flush(): void {
    this.outboxes.flush()
  }

  /** The calls that are not answered yet. */
  get pending(): ReadonlyArray<OutgoingCall> {
    return this.calls.filter((call) => call !== undefined)
  }

  // Calling

  /** The call's id, or what does not fit in its arguments: then nothing was sent. */
  call(call: OutgoingCall): number | CodecError {
    if (this.ended !== undefined) {
      call.onLost(this.ended)
      return 0
    }
    const id = this.free.pop() ?? this.calls.length
    this.calls[id] = call
    const refused = this.outboxes.write(Wire.Kind.call, id, writeCall, call)
    if (refused !== undefined) this.forget(id)
    return refused ?? id
  }

  /** A call that is not answered through this connection: it has no id. What does not fit is not sent. */
  post(call: OutgoingCall): void {
    if (this.ended === undefined) this.outboxes.write(Wire.Kind.call, 0, writeCall, call)
  }

  /** The call of this id, while it has no answer. */
  pendingCall(id: number): OutgoingCall | undefined {
    return this.calls[id]
  }

  interrupt(id: number): void {
    if (this.ended === undefined) this.outboxes.begin(Wire.Kind.interrupt, id)
  }

  /** The reader of a stream has taken so many of its elements. */
  ack(id: number, count: number): void {
    if (this.ended === undefined) this.outboxes.begin(Wire.Kind.ack, id).int(count)
  }

  // Answering

  /** Answers with bytes. */
  reply(id: number, value: Uint8Array): void {
    if (this.ended === undefined) Wire.writeValue(this.outboxes.begin(Wire.Kind.reply, id), value)
  }

  /** Answers with a part of bytes that stay their owner's. `view`: of the bytes, where there is one. */
  replyRange(id: number, bytes: Uint8Array, start: number, end: number, view?: DataView): void {
    if (this.ended === undefined) Wire.writeRange(this.outboxes.begin(Wire.Kind.reply, id), bytes, start, end, view)
  }

  /** Answers with what `write` appends. When that does not fit nothing is sent. */
  replyWith(id: number, write: (writer: Writer) => CodecError | undefined): CodecError | undefined {
    return this.ended === undefined ? this.outboxes.write(Wire.Kind.reply, id, writeValue, write) : undefined
  }

  fail(id: number, error: Uint8Array): void {
    if (this.ended === undefined) Wire.writeValue(this.outboxes.begin(Wire.Kind.failure, id), error)
  }

  /**
   * Sends elements of a stream, each as what one function appends. When one does not fit, those before it are sent. A stream that
   * computes may not let its turn end before many more: they do not wait for that.
   */
  chunkWith(id: number, writes: ReadonlyArray<(writer: Writer) => CodecError | undefined>): CodecError | undefined {
    if (this.ended !== undefined) return undefined
    let refused: CodecError | undefined
    this.outboxes.write(
      Wire.Kind.chunk,
      id,
      (writer) => {
        const count = writer.placeholder32()
        let sent = 0
        for (; sent < writes.length; sent++) {
          const before = writer.size
          refused = writeValue(writer, writes[sent]!)
          if (refused === undefined) continue
          writer.rewind(before)
          break
        }
        writer.patch32(count, sent)
        return sent === 0 ? refused : undefined
      },
      undefined
    )
    this.flushOverdue()
    return refused
  }

  signal(id: number, value: Uint8Array = nothing): void {
    if (this.ended === undefined) Wire.writeValue(this.outboxes.begin(Wire.Kind.signal, id), value)
  }

  /** A signal with what `write` appends. */
  signalWith(id: number, write: (writer: Writer) => CodecError | undefined): CodecError | undefined {
    return this.ended === undefined ? this.outboxes.write(Wire.Kind.signal, id, writeValue, write) : undefined
  }

  // Blocking

  /** Takes a message that a blocked thread has fetched itself: its turns have no end, and no limit. */
  accept(message: unknown): void {
    this.inbox.accept(message)
  }

  /** Reads what came before the other side ended. Its owner calls it before he settles what has no answer. */
  acceptRest(): void {
    if (this.ended === undefined) this.inbox.acceptRest()
  }

  /** Whether the other side has had to be woken by what was sent, since this was last asked. */
  hasWoken(): boolean {
    return this.port.ringBuffers?.out.hasWoken() === true
  }

  /** The other side was blocked, and was woken by another way than this connection: it may ask for more soon. */
  woke(): void {
    this.inbox.asked(true)
  }

  // Ending

  /** Tells every call that is not answered. Nothing is sent or received any more. */
  end(why: Exit): void {
    if (this.ended !== undefined) return
    this.acceptRest()
    if (this.ended !== undefined) return
    this.ended = why
    this.outboxes.clear()
    for (const call of this.calls) call?.onLost(why)
    this.calls.length = 1
  }

  // Reading: as the receiver of its inbox

  get awaitsMessage(): boolean {
    return this.server.awaitsMessage && this.ended === undefined
  }

  get awaitsAnswer(): boolean {
    return this.ended === undefined && this.calls.length - 1 > this.free.length
  }

  afterRead(): void {
    this.outboxes.flushRead()
  }

  read(open: () => Reader): void {
    this.overdue = performance.now() + overdueAfter
    try {
      const reader = open()
      while (reader.remaining > 0 && this.ended === undefined) this.frame(reader)
    } catch (error) {
      // Who is told of a frame does not throw, but for a `CodecFailure` of the frame itself.
      if (!isA(error, CodecFailure)) throwLater(error)
      this.onFault(isA(error, CodecFailure) ? toCodecError("decode", error).message : textOf(error))
    }
  }

  private frame(reader: Reader): void {
    const kind = reader.int()
    const id = reader.int()
    switch (kind) {
      case Wire.Kind.call: {
        const target = reader.int()
        const index = reader.int()
        const caller = reader.int()
        const flags = reader.int()
        const timeLeft = (flags & deadlineFlag) === 0 ? Infinity : reader.int()
        const callerContext = (flags & contextFlag) === 0 ? undefined : CallerContext.read(reader)
        const call = { id, target, index, caller, flags, timeLeft, callerContext }
        this.server.onCall(call, reader)
        return this.flushOverdue()
      }
      case Wire.Kind.reply:
        this.awaited(id, reader).onReply(reader)
        return this.forget(id)
      case Wire.Kind.failure:
        this.awaited(id, reader).onFailure(reader)
        return this.forget(id)
      case Wire.Kind.chunk: {
        const count = reader.u32()
        return this.awaited(id, reader).onChunk(reader, count)
      }
      case Wire.Kind.ack:
        return this.server.onAck(id, reader.int())
      case Wire.Kind.interrupt:
        return this.server.onInterrupt(id)
      case Wire.Kind.signal:
        return this.server.onSignal(id, reader)
      default:
        return reader.malformed(reader.offset, `${kind} is no kind of frame`)
    }
  }

  /** What was asked may take its time: who asked first is not kept waiting for those whose calls came with his. */
  private flushOverdue(): void {
    const now = performance.now()
    if (now < this.overdue) return
    this.flush()
    this.overdue = now + overdueAfter
  }

  private awaited(id: number, reader: Reader): OutgoingCall {
    return this.calls[id] ?? reader.malformed(reader.offset, `call ${id} was answered, but is not waited for`)
  }

  /** The call is answered. Not before its answer could be read, or nobody would tell it that the connection ended. */
  private forget(id: number): void {
    this.calls[id] = undefined
    this.free.push(id)
  }
}

/** The value of a signal that says all by its id. */
const nothing = new Uint8Array(0)

/** How long, in milliseconds, a thread reads on before it sends what it has answered. */
const overdueAfter = 1

const writeCall = (writer: Writer, call: OutgoingCall): CodecError | undefined => {
  writer.int(call.target)
  writer.int(call.index)
  writer.int(call.caller)
  const timeLeft = call.timeLeft ?? Infinity
  // What the wire has no integer for is no deadline that anybody lives to see.
  const isLimited = timeLeft < Number.MAX_SAFE_INTEGER
  const { callerContext } = call
  writer.int(call.flags | (isLimited ? deadlineFlag : 0) | (callerContext === undefined ? 0 : contextFlag))
  if (isLimited) writer.int(Math.max(0, Math.ceil(timeLeft)))
  if (callerContext !== undefined) writer.raw(callerContext)
  return call.writeArguments(writer)
}

/** Writes the length of a value, and the value. */
const writeValue = (writer: Writer, write: (writer: Writer) => CodecError | undefined): CodecError | undefined => {
  const length = writer.placeholder32()
  const refused = write(writer)
  writer.patch32(length, writer.size - length - 4)
  return refused
}
