/**
 * Owner's side: one call of a pool's function over a thread, from the line that it waits in until its caller knows the
 * outcome.
 *
 * It is resumed exactly once, or never when its caller was interrupted. A call that is on a thread keeps its place there
 * until the thread has answered it, whether or not somebody still wants to know. One that a lost thread had not begun waits
 * for another, once: it may be what threads are lost of, as when they have no memory for its arguments.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import { type CodecError, withdrawn } from "../../CodecError.ts"
import { type OutgoingCall, typedFlag } from "../../Connection.ts"
import * as Deadline from "../../Deadline.ts"
import { tell } from "../../Foreign.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as HostFunction from "../../HostFunction.ts"
import type { Member } from "../../Line.ts"
import type * as Thread from "../../Thread.ts"
import * as Wire from "../../Wire.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"
import type { WaitingLine } from "./Pool.ts"
import type { PoolThread } from "./PoolThread.ts"

export type Resume = (exit: Exit.Exit<unknown, unknown>) => void

/**
 * As an Effect it is the one that interrupts it, so that a call which waits needs no other object for that. Whoever runs or yields it
 * ends it.
 */
export abstract class PoolCall extends Effectable.Class<void> implements OutgoingCall, Member<PoolCall> {
  readonly target = 0
  readonly caller = 0
  readonly index: number
  readonly codec: FunctionCodec
  /** What the call is pinned to. */
  readonly key: unknown
  /** The line that it waits in, if it does. */
  line: WaitingLine | undefined
  previous: PoolCall | undefined
  next: PoolCall | undefined
  /** How many calls its thread was sent before it. */
  order = 0
  abstract readonly flags: number
  /** When its caller stops waiting, by `performance.now`. */
  private dueAt = Infinity
  callerContext: Uint8Array | undefined
  private thread: PoolThread | undefined
  private id = 0
  /** What happened to the thread that it was sent to last, if that was lost. */
  private lost: HostCallError.ThreadLost | undefined
  private resume: Resume | undefined

  constructor(index: number, codec: FunctionCodec, key: unknown, resume: Resume) {
    super()
    this.index = index
    this.codec = codec
    this.key = key
    this.resume = resume
  }

  /** What its caller's fiber calls under travels on to the function. Its deadline too: the pool does not enforce it. */
  inherit(context: Context.Context<never>, told: Uint8Array | undefined): void {
    const deadline = Context.get(context, Deadline.Current)
    if (deadline !== Infinity) this.dueAt = performance.now() + deadline - Deadline.now(context)
    this.callerContext = told
  }

  get timeLeft(): number {
    return this.dueAt === Infinity ? Infinity : this.dueAt - performance.now()
  }

  abstract writeArguments(writer: Writer): CodecError | undefined
  /** Whether its arguments are there still: buffers that were moved with them are not. */
  protected abstract readonly canBeSentAgain: boolean
  /** The answer in the value that the reader stands before. */
  protected abstract read(reader: Reader): Exit.Exit<unknown, unknown>

  /** It is on a thread now. */
  sent(thread: PoolThread, id: number): void {
    this.thread = thread
    this.id = id
  }

  get isSettled(): boolean {
    return this.resume === undefined
  }

  onReply(reader: Reader): void {
    if (!this.isSettled) return this.answered(this.read(reader))
    Wire.skipValue(reader)
    this.answered(Exit.void)
  }

  onFailure(reader: Reader): void {
    this.answered(Exit.fail(HostCallError.decode(this.codec.name, Wire.readValue(reader))))
  }

  onChunk(reader: Reader, _count: number): void {
    reader.malformed(reader.offset, `"${this.codec.name}" answers no stream`)
  }

  onLost(why: Thread.Exit): void {
    if (this.isSettled) return
    const thread = this.thread!
    const hasMoved = this.lost !== undefined
    this.lost = new HostCallError.ThreadLost({ ...thread.loss(why), thread: thread.name })
    if (hasMoved || thread.hasBegun(this) || !this.canBeSentAgain) return this.fail(this.lost)
    this.thread = undefined
  }

  /** The arguments were not sent: they do not fit, or not any more. */
  refused(error: CodecError): void {
    if (this.lost !== undefined) return this.fail(this.lost)
    this.settle(Exit.fail(HostCallError.argumentsRefused(this.codec.name, error)))
  }

  fail(reason: HostCallError.Reason): void {
    this.settle(Exit.fail(new HostCallError.HostCallError({ function: this.codec.name, reason })))
  }

  /** Run by the caller's fiber when that is interrupted, or its scope ends. */
  asEffect(): Effect.Effect<void> {
    this.interrupt()
    return Effect.void
  }

  /** The caller left: it is not resumed any more. */
  interrupt(): void {
    if (this.resume === undefined) return
    this.resume = undefined
    this.line?.leave(this)
    this.thread?.left(this.id)
  }

  /** Its thread has room before its caller goes on, and what the thread's owner does then concerns this call no more. */
  private answered(exit: Exit.Exit<unknown, unknown>): void {
    const { resume, thread } = this
    this.resume = undefined
    this.thread = undefined
    thread?.answered()
    if (resume !== undefined) tell(resume, exit)
  }

  protected acknowledge(count: number): void {
    this.thread?.connection.ack(this.id, count)
  }

  private settle(exit: Exit.Exit<unknown, unknown>): void {
    const resume = this.resume
    this.resume = undefined
    if (resume !== undefined) tell(resume, exit)
  }
}

/** A call whose payload is encoded, and whose answer is decoded, here. */
export class TypedCall extends PoolCall {
  readonly flags = typedFlag
  canBeSentAgain = true
  private readonly payload: unknown

  constructor(index: number, codec: FunctionCodec, key: unknown, resume: Resume, payload: unknown) {
    super(index, codec, key, resume)
    this.payload = payload
  }

  writeArguments(writer: Writer): CodecError | undefined {
    const moves = writer.beside?.moves
    const refused = this.codec.writeArguments(this.payload, writer)
    if (writer.beside?.moves !== moves) this.canBeSentAgain = false
    // What runs in its arguments may have ended it.
    return refused ?? (this.isSettled ? withdrawn() : undefined)
  }

  protected read(reader: Reader): Exit.Exit<unknown, unknown> {
    return HostFunction.readAnswer(this.codec, reader)
  }
}

/** A call by bytes: what a guest's are. */
export class BytesCall extends PoolCall {
  readonly flags = 0
  private readonly args: ReadonlyArray<Uint8Array>

  constructor(index: number, codec: FunctionCodec, key: unknown, resume: Resume, args: ReadonlyArray<Uint8Array>) {
    super(index, codec, key, resume)
    this.args = args
  }

  writeArguments(writer: Writer): undefined {
    for (const arg of this.args) Wire.writeValue(writer, arg)
  }

  get canBeSentAgain(): boolean {
    return this.args.every(({ buffer }) => !(buffer instanceof ArrayBuffer && buffer.detached))
  }

  protected read(reader: Reader): Exit.Exit<unknown, unknown> {
    return Exit.succeed(Wire.readValue(reader))
  }
}
