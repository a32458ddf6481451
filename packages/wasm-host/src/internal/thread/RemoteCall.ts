/**
 * Owner's side: a call of a guest function in the hands of its thread. It is answered once; when its caller has left the
 * thread answers all the same, to nobody.
 */
import type * as Admission from "@fiberhost/core/Admission"
import type * as Codec from "@fiberhost/core/Codec"
import { type CodecError, withdrawn } from "@fiberhost/core/CodecError"
import type * as Connection from "@fiberhost/core/Connection"
import type { Member } from "@fiberhost/core/Line"
import * as Wire from "@fiberhost/core/Wire"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as GuestError from "../../GuestError.ts"
import type { Call } from "../call/Call.ts"
import type { CallObserver } from "../call/CallObserver.ts"
import type { Entered } from "../call/Instance.ts"
import type { Usage } from "../call/Usage.ts"
import { valueRefused } from "../guest/GuestArgument.ts"
import type { TypedExit } from "../guest/GuestCodec.ts"
import { HostCalls } from "../host/HostCalls.ts"
import type { Admitted } from "../host/RunningHostCall.ts"
import type { Signature } from "../module/Signature.ts"
import * as GuestWire from "./GuestWire.ts"
import type { RemoteGuest } from "./RemoteGuest.ts"

export class RemoteCall implements Connection.OutgoingCall, Entered, Member<RemoteCall> {
  previous: RemoteCall | undefined = undefined
  next: RemoteCall | undefined = undefined
  readonly caller = 0
  readonly flags: number
  readonly guest: RemoteGuest
  readonly signature: Signature
  private running: HostCalls | undefined
  /** The last line that the guest logged for this call. */
  logged: string | undefined
  admitted: Admitted | undefined
  /** The wire's, while it is not answered; otherwise 0. */
  id = 0
  isSettled = false
  /** When each of its entries began and ended, if it is observed. */
  spans: ReadonlyArray<readonly [began: number, ended: number]> = []
  /** What it has used in all. */
  private last: Usage | undefined
  private readonly call: Call

  constructor(guest: RemoteGuest, call: Call) {
    this.guest = guest
    this.signature = guest.signature.exports[call.index]!
    this.flags = !call.isMeasured
      ? 0
      : GuestWire.measuredFlag | (call.observer === undefined ? 0 : GuestWire.observedFlag)
    this.call = call
    guest.calls.push(this)
  }

  /** Host functions that it waits for. They pass to the guest when it settles before them. */
  get hostCalls(): HostCalls {
    return (this.running ??= new HostCalls())
  }

  get target(): number {
    return this.guest.number
  }

  get index(): number {
    return this.call.index
  }

  get context(): Context.Context<never> {
    return this.call.context
  }

  get observer(): CallObserver | undefined {
    return this.call.observer
  }

  get permit(): Admission.Permit | undefined {
    return this.call.permit
  }

  get hasBegun(): boolean {
    // Without an id its arguments are being written, so it may yet go out, or it was answered.
    return this.id === 0 || this.guest.thread.table.hasBegun(this.id)
  }

  get usage(): Usage | undefined {
    return this.last ?? this.guest.thread.table.read(this.id)
  }

  /** Owner to guest: its arguments go to the thread. */
  send(): void {
    const id = this.guest.thread.connection.call(this)
    if (typeof id !== "number") return this.fail(valueRefused(id))
    this.id = id
    this.guest.thread.table.send(id)
  }

  writeArguments(writer: Codec.Writer): CodecError | undefined {
    const refused = this.call.codec.write(this.call.payload, writer)
    // What runs in its payload may have interrupted its caller.
    return refused ?? (this.isSettled ? withdrawn() : undefined)
  }

  onReply(reader: Codec.Reader): void {
    this.answered()
    if (this.isSettled) Wire.skipValue(reader)
    else this.settle(this.call.codec.read(reader))
  }

  onFailure(reader: Codec.Reader): void {
    this.answered()
    const { dead, hasBegun, reason } = GuestWire.decodeFailure(Wire.readValue(reader))
    if (dead !== undefined) this.guest.dead ??= dead
    if (reason._tag === "Defect") this.settle(Exit.die(reason.cause))
    else if (reason._tag === "Trapped" && this.logged !== undefined) this.fail(withLog(reason, this.logged))
    else this.fail(reason, hasBegun)
    if (dead !== undefined) this.guest.died(dead)
  }

  onChunk(reader: Codec.Reader): void {
    reader.malformed(reader.offset, "a guest answers no stream")
  }

  onLost(): void {
    this.fail(this.guest.thread.loss, this.hasBegun)
    this.id = 0
  }

  fail(reason: GuestError.Reason, hasBegun = true): void {
    this.settle(this.call.codec.fail(reason), hasBegun)
  }

  abandon(): void {
    if (this.isSettled) return
    this.leave()
    const { thread } = this.guest
    if (this.id !== 0) {
      if (this.flags !== 0) thread.table.leave(this.id)
      thread.connection.interrupt(this.id)
    }
    if (this.running !== undefined) for (const hostCall of this.running.members) hostCall.interrupt()
  }

  /** Its id may be another call's from now on. */
  private answered(): void {
    const { table } = this.guest.thread
    if (this.flags !== 0) {
      this.last = table.read(this.id)
      for (const span of this.spans) this.last?.spans.push(span)
      if (this.isSettled) this.call.told(this.spans)
      table.clear(this.id)
    }
    this.id = 0
  }

  private settle(exit: TypedExit, hasBegun = true): void {
    if (this.isSettled) return
    this.leave()
    this.running?.pass()
    this.call.exited(exit, hasBegun)
  }

  private leave(): void {
    this.isSettled = true
    this.guest.calls.remove(this)
  }
}

const withLog = ({ detail, pending }: GuestError.Trapped, logged: string): GuestError.Trapped =>
  new GuestError.Trapped({ detail, pending, logged })
