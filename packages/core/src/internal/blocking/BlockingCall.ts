/** Caller's side: one call of a thread that blocks for its answer, until that is read. */
import * as Exit from "effect/Exit"
import type * as BlockingError from "../../BlockingError.ts"
import { type CodecError, toCodecError } from "../../CodecError.ts"
import { type OutgoingCall, typedFlag } from "../../Connection.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as HostFunction from "../../HostFunction.ts"
import * as Thread from "../../Thread.ts"
import * as Wire from "../../Wire.ts"
import * as Arguments from "../codec/Arguments.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"
import type { ThreadConnection } from "./ThreadConnection.ts"

export class BlockingCall implements OutgoingCall {
  readonly target = 0
  readonly caller = 0
  readonly flags = typedFlag
  readonly index: number
  readonly codec: FunctionCodec
  readonly thread: ThreadConnection
  /** Its answer as it has come. It is read by whoever asks for it: that runs code of his, which may wait for other calls. */
  private answer: Reader | undefined
  private ended: Exit.Exit<unknown, unknown> | undefined
  private draft: Writer | undefined
  private id = 0

  constructor(index: number, codec: FunctionCodec, thread: ThreadConnection, draft: Writer) {
    this.index = index
    this.codec = codec
    this.thread = thread
    this.draft = draft
  }

  /** Sends it, or says which argument cannot be sent. */
  send(): CodecError | undefined {
    const refused = Arguments.settle(this.draft!)
    if (refused !== undefined) return refused
    const sent = this.thread.connection.call(this)
    this.draft = undefined
    if (typeof sent !== "number") return sent
    this.id = sent
    this.thread.connection.flush()
    return undefined
  }

  /** Whether it is not waited for any more. */
  get isSettled(): boolean {
    return this.answer !== undefined || this.ended !== undefined
  }

  /** Once it is settled: its answer, or why there is none. */
  get exit(): Exit.Exit<unknown, unknown> {
    return this.ended ?? this.readAnswer(this.answer!)
  }

  private readAnswer(answer: Reader): Exit.Exit<unknown, unknown> {
    // By a reader of its own: what runs meanwhile may ask for it as well.
    const exit = HostFunction.readWhole(this.codec, answer.part(answer.offset, answer.end))
    this.ended ??= exit
    this.answer = undefined
    return this.ended
  }

  /** Nobody wants its answer any more. */
  interrupt(): void {
    if (this.isSettled) return
    this.fail(HostCallError.interrupted(this.codec.name))
    this.thread.connection.interrupt(this.id)
    this.thread.connection.flush()
  }

  /** Each message of a caller is one call, so nothing else lies beside it. There may be no memory for so many bytes twice. */
  writeArguments(writer: Writer): CodecError | undefined {
    try {
      writer.adopt(this.draft!)
      return undefined
    } catch (thrown) {
      return toCodecError("encode", thrown)
    }
  }

  onReply(reader: Reader): void {
    const answer = Wire.laterValue(reader)
    if (!this.isSettled) this.answer = answer
  }

  onFailure(reader: Reader): void {
    const error = Wire.readValue(reader)
    if (!this.isSettled) this.ended = Exit.fail(HostCallError.decode(this.codec.name, error))
  }

  onChunk(reader: Reader): void {
    reader.malformed(reader.offset, `"${this.codec.name}" answers no stream`)
  }

  onLost(why: Thread.Exit): void {
    const { lastRan, name } = this.thread
    const reason = new HostCallError.ThreadLost({ ...Thread.lossOf(why, lastRan), thread: name })
    this.fail(new HostCallError.HostCallError({ function: this.codec.name, reason }))
  }

  fail(error: HostCallError.HostCallError | BlockingError.BlockingError): void {
    if (!this.isSettled) this.ended = Exit.fail(error)
  }
}
