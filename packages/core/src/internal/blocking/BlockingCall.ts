/** Caller's side: one call of a thread that blocks for its answer, until that is read. */
import * as Exit from "effect/Exit"
import type { CodecError } from "../../CodecError.ts"
import { type OutgoingCall, typedFlag } from "../../Connection.ts"
import { type FunctionCodec, settleArguments } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as HostFunction from "../../HostFunction.ts"
import type { Member } from "../../Line.ts"
import type * as Thread from "../../Thread.ts"
import * as Wire from "../../Wire.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"
import type { ThreadConnection } from "./ThreadConnection.ts"

export class BlockingCall implements OutgoingCall, Member<BlockingCall> {
  readonly target = 0
  readonly caller = 0
  readonly flags = typedFlag
  readonly index: number
  readonly codec: FunctionCodec
  readonly thread: ThreadConnection
  previous: BlockingCall | undefined = undefined
  next: BlockingCall | undefined = undefined
  /** Its answer, or why there is none; undefined while it is waited for. */
  exit: Exit.Exit<unknown, unknown> | undefined
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
    const refused = settleArguments(this.draft!)
    if (refused !== undefined) return refused
    const sent = this.thread.connection.call(this)
    this.draft = undefined
    if (typeof sent !== "number") return sent
    this.id = sent
    this.thread.connection.flush()
    return undefined
  }

  /** Nobody wants its answer any more. */
  interrupt(): void {
    if (this.exit !== undefined) return
    this.fail(new HostCallError.Interrupted())
    this.thread.connection.interrupt(this.id)
    this.thread.connection.flush()
  }

  /** Each message of a caller is one call: nothing else lies beside it. */
  writeArguments(writer: Writer): undefined {
    writer.adopt(this.draft!)
  }

  onReply(reader: Reader): void {
    if (this.exit === undefined) this.exit = HostFunction.readAnswer(this.codec, reader)
    else Wire.skipValue(reader)
  }

  onFailure(reader: Reader): void {
    const error = Wire.readValue(reader)
    this.exit ??= Exit.fail(HostCallError.decode(this.codec.name, error))
  }

  onChunk(reader: Reader): void {
    reader.malformed(reader.offset, `"${this.codec.name}" answers no stream`)
  }

  onLost({ detail }: Thread.Exit): void {
    const { lastRan, name } = this.thread
    this.fail(new HostCallError.ThreadLost({ detail, thread: name, ...(lastRan === undefined ? {} : { lastRan }) }))
  }

  fail(reason: HostCallError.Reason): void {
    this.exit ??= Exit.fail(new HostCallError.HostCallError({ function: this.codec.name, reason }))
  }
}
