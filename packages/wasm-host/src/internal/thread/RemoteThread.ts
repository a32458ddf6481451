/**
 * Owner's side: a thread that guests live on, from its start until it is closed or lost.
 */

import * as Codec from "@fiberhost/core/Codec"
import * as Connection from "@fiberhost/core/Connection"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import { IdTable } from "@fiberhost/core/IdTable"
import * as Thread from "@fiberhost/core/Thread"
import * as Wire from "@fiberhost/core/Wire"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as GuestError from "../../GuestError.ts"
import type { Signature } from "../module/Signature.ts"
import { CallTable } from "./CallTable.ts"
import * as GuestWire from "./GuestWire.ts"
import { RemoteCall } from "./RemoteCall.ts"
import type { RemoteGuest } from "./RemoteGuest.ts"
import * as RemoteHostCall from "./RemoteHostCall.ts"
import { ReplyCell } from "./ReplyCell.ts"

export interface Options {
  readonly program: URL
  readonly name: string
  /** How long a thread has to end by itself when it is closed. */
  readonly grace: Duration.Input
}

/** A thread, until the scope ends. Fails when it cannot begin. */
export const start = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<RemoteThread, Thread.ThreadError, Thread.Threads | Scope.Scope> {
  const threads = yield* Thread.Threads
  const reply = new ReplyCell()
  const table = new CallTable()
  const ran = new SharedArrayBuffer(Object.keys(GuestWire.ran).length * Int32Array.BYTES_PER_ELEMENT)
  const data: GuestWire.Start = { fiberhost: "guests", calls: table.memory, reply: reply.memory, ran }
  const program = { module: options.program, name: options.name, data }
  const thread = yield* threads.start(program)
  const remote = new RemoteThread(options.name, thread, reply, new Int32Array(ran), table)
  yield* Thread.awaitReady(program, remote.ready)
  yield* Effect.addFinalizer(() => remote.close(options.grace))
  return remote
})

export class RemoteThread implements Connection.Server {
  readonly awaitsMessage = false
  readonly name: string
  readonly connection: Connection.Connection
  readonly reply: ReplyCell
  readonly table: CallTable
  readonly guests = new Map<number, RemoteGuest>()
  /** The sync host function of one of its guests that holds it up. */
  blockedBy: RemoteHostCall.RemoteHostCall | undefined
  /** Times that a guest was released from a sync host function that held up the thread: it was answered before that had ended. */
  released = 0
  readonly ready = Deferred.makeUnsafe<void, Thread.ThreadError>()
  /** How it ended. */
  private lost: GuestError.ThreadLost | undefined
  private readonly ended = Deferred.makeUnsafe<void>()
  private readonly ran: Int32Array
  private readonly hostCalls = new IdTable<RemoteHostCall.RemoteHostCall>()
  private readonly thread: Thread.Thread
  private fault: string | undefined

  constructor(name: string, thread: Thread.Thread, reply: ReplyCell, ran: Int32Array, table: CallTable) {
    this.name = name
    this.reply = reply
    this.table = table
    this.ran = ran
    this.thread = thread
    this.connection = new Connection.Connection(thread.port, this, (detail) => this.terminate(detail))
    thread.onExit((exit) => this.end(exit))
  }

  /** The owner's part of a load: the guest is known before its start function may call the host. */
  add(guest: RemoteGuest): void {
    this.guests.set(guest.number, guest)
  }

  guestsOf(plugin: string): number {
    let count = 0
    for (const guest of this.guests.values()) if (guest.signature.plugin === plugin) count++
    return count
  }

  remove(guest: RemoteGuest): void {
    this.guests.delete(guest.number)
  }

  /** Guest to host: a host function. */
  onCall(call: Connection.IncomingCall, reader: Codec.Reader): void {
    const guest = this.guests.get(call.target)
    const signature = guest?.signature.imports[call.index]
    if (guest === undefined || signature === undefined) return reader.malformed(reader.offset, "no such host function")
    const pending = this.connection.pendingCall(call.caller)
    const owner = pending instanceof RemoteCall ? pending : undefined
    const host = guest.hosts[call.index]!
    const effect = begin(guest, host.implementation, signature, reader)
    const needsNobody = owner?.observer === undefined && (call.flags & Connection.blockingFlag) === 0
    if (needsNobody && HostFunction.isExit(effect)) {
      return RemoteHostCall.answer(guest, call, signature, host.finish(effect), owner ?? guest)
    }
    const hostCall = new RemoteHostCall.RemoteHostCall(guest, call, owner)
    if (call.id !== 0) {
      this.hostCalls.set(call.id, hostCall)
      // One that was answered before it ended has an id that may be another's by then.
      hostCall.ending.onCome(() => {
        if (this.hostCalls.get(call.id) === hostCall) this.hostCalls.delete(call.id)
      })
    }
    hostCall.run(host, effect)
  }

  onInterrupt(id: number): void {
    this.hostCalls.get(id)?.interrupt()
  }

  onAck(): void {}

  onSignal(id: number, reader: Codec.Reader): void {
    const value = Wire.readValue(reader)
    if (id === GuestWire.entries) return this.onEntries(value, reader)
    if (id === GuestWire.unheard) return this.onUnheard(value, reader)
    if (id !== GuestWire.ready) reader.malformed(reader.offset, `${id} is no signal of a guest's thread`)
    Deferred.doneUnsafe(this.ready, Effect.void)
  }

  private onEntries(value: Uint8Array, reader: Codec.Reader): void {
    const entries = Codec.decodeFromBytes(GuestWire.entriesCodec, value)
    if (Result.isFailure(entries)) return reader.malformed(reader.offset, entries.failure.message)
    const pending = this.connection.pendingCall(entries.success.call)
    if (pending instanceof RemoteCall) pending.spans = entries.success.spans
  }

  private onUnheard(value: Uint8Array, reader: Codec.Reader): void {
    const unheard = Codec.decodeFromBytes(GuestWire.unheardCodec, value)
    if (Result.isFailure(unheard)) return reader.malformed(reader.offset, unheard.failure.message)
    const { call, error, function: name, guest } = unheard.success
    const pending = this.connection.pendingCall(call)
    const context = pending instanceof RemoteCall ? pending.context : this.guests.get(guest)?.context
    if (context === undefined) return
    Effect.runForkWith(context)(Effect.logError(HostCallError.decode(name, error)))
  }

  /** Whether it takes no more guests: it has ended, or is being ended. */
  get isOver(): boolean {
    return this.fault !== undefined || this.lost !== undefined
  }

  /** What its calls fail with when its connection has ended. */
  get loss(): GuestError.Reason {
    return this.lost ?? GuestError.closed
  }

  /** Tells it to end, and waits for that at most for `grace`: whoever started it terminates it then. */
  close(grace: Duration.Input): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.connection.signal(GuestWire.close)
      this.connection.flush()
      return Effect.asVoid(Effect.timeoutOption(Deferred.await(this.ended), grace))
    })
  }

  /** Ends it now, with all of its guests. `why` is what they fail with. Whether it was not ending yet. */
  terminate(why: string): boolean {
    if (this.fault !== undefined) return false
    this.fault = why
    this.thread.terminate()
    return true
  }

  private end({ detail, exitCode }: Thread.Exit): void {
    const guest = this.guests.get(this.ran[GuestWire.ran.guest]!)
    const lastRan = guest?.signature.exports[this.ran[GuestWire.ran.function]! - 1]?.name
    const loss = Thread.lossOf({ exitCode, detail: this.fault ?? detail }, lastRan)
    this.lost = new GuestError.ThreadLost({ ...loss, thread: this.name })
    const startFailed = new Thread.StartFailed({ detail: Thread.describeLoss(loss) })
    Deferred.doneUnsafe(this.ready, Effect.fail(new Thread.ThreadError({ thread: this.name, reason: startFailed })))
    // The guests first: a call that is made when another one settles must not go to this thread.
    for (const guest of this.guests.values()) guest.dead ??= this.lost
    this.connection.acceptRest()
    for (const guest of this.guests.values()) guest.end(this.lost)
    this.connection.end({ exitCode, detail: loss.detail })
    Deferred.doneUnsafe(this.ended, Effect.void)
  }
}

/** Guest to host: takes the arguments, and calls the function. */
const begin = (
  guest: RemoteGuest,
  { bytes, codec, values }: HostFunction.Implementation,
  signature: Signature,
  reader: Codec.Reader
): Effect.Effect<unknown, unknown> => {
  if (values === undefined) {
    const args = signature.arguments.map(() => Wire.readValue(reader))
    return guest.dead === undefined ? bytes(args) : RemoteHostCall.closed(signature.name)
  }
  const payload = reader.plain(codec.readArguments)
  if (guest.dead !== undefined) return RemoteHostCall.closed(signature.name)
  return Result.isSuccess(payload)
    ? values.handle(payload.success)
    : Exit.fail(HostCallError.argumentsRefused(codec.name, payload.failure))
}
