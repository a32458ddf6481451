/**
 * Owner's side: a call of a guest function on another thread, in its caller's fiber. It settles once: with the guest's
 * answer, or with why there is none. An interrupted caller has left at once; the thread answers all the same, to nobody.
 */
import type * as Admission from "@fiberhost/core/Admission"
import type * as Codec from "@fiberhost/core/Codec"
import type { CodecError } from "@fiberhost/core/CodecError"
import * as Connection from "@fiberhost/core/Connection"
import * as Wire from "@fiberhost/core/Wire"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as GuestError from "../../GuestError.ts"
import { type GuestCodec, type TypedExit, valueRefused } from "../guest/GuestCodec.ts"
import type { RunningHostCall } from "../guest/RunningHostCall.ts"
import type { Signature } from "../module/Signature.ts"
import * as GuestWire from "./GuestWire.ts"
import type { RemoteGuest } from "./RemoteGuest.ts"

export class RemoteCall implements Connection.OutgoingCall {
  readonly caller = 0
  readonly flags = 0
  readonly guest: RemoteGuest
  readonly index: number
  readonly signature: Signature
  readonly context: Context.Context<never>
  /** Host functions that it waits for. They pass to the guest when it settles before them. */
  readonly hostCalls = new Set<RunningHostCall>()
  permit: Admission.Permit | undefined
  /** The last line that the guest logged for this call. */
  logged: string | undefined
  private readonly guestCodec: GuestCodec
  private payload: unknown
  private id = 0
  private resume: ((exit: TypedExit) => void) | undefined

  constructor(
    guest: RemoteGuest,
    index: number,
    guestCodec: GuestCodec,
    payload: unknown,
    context: Context.Context<never>,
    resume: (exit: TypedExit) => void
  ) {
    this.guest = guest
    this.index = index
    this.signature = guest.signature.exports[index]!
    this.guestCodec = guestCodec
    this.payload = payload
    this.context = context
    this.resume = resume
    guest.calls.add(this)
  }

  get target(): number {
    return this.guest.number
  }

  get isSettled(): boolean {
    return this.resume === undefined
  }

  /** Owner to guest: it has been admitted. */
  enter(): void {
    const { dead, thread } = this.guest
    if (dead !== undefined) return this.fail(dead)
    const sent = thread.connection.call(this)
    if (typeof sent === "number") this.id = sent
    else this.fail(valueRefused(sent))
  }

  writeArguments(writer: Codec.Writer): CodecError | undefined {
    const payload = this.payload
    this.payload = undefined
    return this.guestCodec.write(payload, writer)
  }

  onReply(reader: Codec.Reader): void {
    this.id = 0
    if (this.isSettled) Wire.skipValue(reader)
    else this.settle(this.guestCodec.read(reader))
  }

  onFailure(reader: Codec.Reader): void {
    this.id = 0
    const failure = GuestWire.decodeFailure(Wire.readValue(reader))
    if (failure._tag === "Defect") return this.settle(Exit.die(failure.cause))
    this.fail(failure._tag === "Trapped" && this.logged !== undefined ? withLog(failure, this.logged) : failure)
  }

  onChunk(reader: Codec.Reader): void {
    reader.malformed(reader.offset, "a guest answers no stream")
  }

  onLost(): void {
    this.id = 0
    this.fail(this.guest.thread.loss)
  }

  fail(reason: GuestError.Reason): void {
    this.settle(this.guestCodec.fail(reason))
  }

  /** The caller was interrupted: nobody waits for the answer, nor for the host functions that would lead to it. */
  abandon(): void {
    if (this.resume === undefined) return
    this.leave()
    if (this.id !== 0) this.guest.thread.connection.interrupt(this.id)
    for (const hostCall of this.hostCalls) hostCall.interrupt()
  }

  private settle(exit: TypedExit): void {
    const resume = this.resume
    if (resume === undefined) return
    this.leave()
    for (const hostCall of this.hostCalls) hostCall.owner = undefined
    this.hostCalls.clear()
    Connection.tell(resume, exit)
  }

  private leave(): void {
    this.resume = undefined
    this.guest.calls.delete(this)
    this.permit?.leave()
  }
}

const withLog = ({ detail, pending }: GuestError.Trapped, logged: string): GuestError.Trapped =>
  new GuestError.Trapped({ detail, pending, logged })
