/**
 * Worker side: runs the guests of one thread for the executor that owns it.
 *
 * It knows bytes and argument kinds, never schemas: what it is sent goes into guest memory as it is, and what a guest
 * answers goes back so. Host functions are calls to the owner: see `WireHosts`.
 */
import * as Codec from "@fiberhost/core/Codec"
import * as Connection from "@fiberhost/core/Connection"
import { isA } from "@fiberhost/core/Foreign"
import * as HostCallError from "@fiberhost/core/HostCallError"
import { IdTable } from "@fiberhost/core/IdTable"
import * as Wire from "@fiberhost/core/Wire"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import type { Usage } from "../call/Usage.ts"
import * as Guest from "../guest/Guest.ts"
import * as GuestCall from "../guest/GuestCall.ts"
import type { CallTable } from "./CallTable.ts"
import * as GuestWire from "./GuestWire.ts"
import type { ReplyCell } from "./ReplyCell.ts"
import * as SharedStats from "./SharedStats.ts"
import { type Answering, nobody, WireCaller } from "./WireCaller.ts"
import { WireHosts } from "./WireHosts.ts"

export interface Options {
  readonly port: Wire.Port
  readonly reply: ReplyCell
  /** Shared with the owner: see `GuestWire.ran`. */
  readonly ran: Int32Array
  readonly table: CallTable
  /** The owner wants this thread to end. */
  readonly onClose: () => void
}

export class GuestServer implements Connection.Server, Answering {
  private readonly options: Options
  private readonly connection: Connection.Connection
  private readonly hosts: WireHosts
  private readonly guests = new Map<number, Guest.Guest>()
  private readonly calls = new IdTable<GuestCall.GuestCall<Uint8Array>>()
  /** The failure that was told last. */
  private last: { readonly failure: GuestWire.Failure; readonly bytes: Uint8Array } | undefined
  /** Guests that are being closed, and the thread itself once it is. */
  private ending = 0

  constructor(options: Options) {
    this.options = options
    this.connection = new Connection.Connection(options.port, this, (detail) => {
      // The owner's messages cannot be trusted: this thread ends, and the owner sees it.
      throw new Error(`the owner of this thread sent what is no frame: ${detail}`)
    })
    this.hosts = new WireHosts(this.connection, options.reply)
    this.connection.signal(GuestWire.ready)
  }

  /** Guests wait for nothing but messages; their end, and this thread's, need its other turns. */
  get awaitsMessage(): boolean {
    return this.ending === 0
  }

  /** Posts what was answered: the thread is about to end. */
  flush(): void {
    this.connection.flush()
  }

  onCall(call: Connection.IncomingCall, reader: Codec.Reader): void {
    if (call.target === 0) return this.onControl(call, reader)
    this.onGuestCall(call, reader)
  }

  /** Owner to guest: a guest call, admitted by the owner. */
  private onGuestCall({ flags, id, index, target }: Connection.IncomingCall, reader: Codec.Reader): void {
    const guest = this.guests.get(target)
    const signature = guest?.signature.exports[index]
    if (guest === undefined || signature === undefined) return reader.malformed(reader.offset, "no such guest function")
    const args = signature.arguments.map(() => Wire.readValue(reader))
    const { ran, table } = this.options
    table.begin(id)
    const isMeasured = (flags & GuestWire.measuredFlag) !== 0
    if (isMeasured && table.isLeft(id)) return this.answer(id, toNobody, guest)
    ran[GuestWire.ran.guest] = target
    ran[GuestWire.ran.function] = index + 1
    const usage = isMeasured ? table.usage(id, (flags & GuestWire.observedFlag) !== 0) : undefined
    const call = new GuestCall.GuestCall(guest, index, new WireCaller(this, id, guest, signature, args), usage, id)
    this.calls.set(id, call)
    const exit = GuestCall.start(call)
    if (exit !== undefined) this.answer(id, exit, guest, call.hasBegun)
  }

  onInterrupt(id: number): void {
    const call = this.calls.get(id)
    if (call === undefined) return
    call.abandon()
    this.answer(id, toNobody, call.guest)
  }

  onAck(): void {}

  onSignal(id: number, reader: Codec.Reader): void {
    Wire.readValue(reader)
    if (id !== GuestWire.close) return
    this.ending++
    this.options.onClose()
  }

  answer(id: number, exit: GuestCall.GuestExit<Uint8Array>, guest: Guest.Guest, hasBegun = true): void {
    const usage = this.calls.get(id)?.usage
    usage?.release()
    this.calls.delete(id)
    if (usage !== undefined && usage.spans.length > 0) this.tellEntries(id, usage.spans)
    if (Exit.isSuccess(exit)) return this.connection.reply(id, exit.value)
    this.connection.fail(id, this.encodeFailure(failureOf(exit.cause, guest, hasBegun)))
  }

  /** A guest that dies with thousands of calls fails them for one reason. */
  private encodeFailure(failure: GuestWire.Failure): Uint8Array {
    const { last } = this
    const isLast =
      last?.failure.reason === failure.reason &&
      last.failure.hasBegun === failure.hasBegun &&
      last.failure.dead === failure.dead
    if (!isLast) this.last = { failure, bytes: GuestWire.encodeFailure(failure) }
    // Long ones are moved to the owner.
    return this.last!.bytes.slice()
  }

  private tellEntries(call: number, spans: Usage["spans"]): void {
    const value = Codec.encodeToBytes(GuestWire.entriesCodec, { call, spans })
    if (Result.isSuccess(value)) this.connection.signal(GuestWire.entries, value.success)
  }

  /** The owner logs why a host function of this thread's has no answer. */
  private tellUnheard(guest: number, error: HostCallError.HostCallError, call: number): void {
    const value = Codec.encodeToBytes(GuestWire.unheardCodec, {
      guest,
      call,
      function: error.function,
      error: HostCallError.encode(error)
    })
    if (Result.isSuccess(value)) this.connection.signal(GuestWire.unheard, value.success)
  }

  private onControl({ id, index }: Connection.IncomingCall, reader: Codec.Reader): void {
    const codec = GuestWire.controls[index]
    if (codec === undefined) return reader.malformed(reader.offset, `there is no control ${index}`)
    const payload = codec.readArguments(reader)
    if (Result.isFailure(payload)) return reader.malformed(reader.offset, payload.failure.message)
    const reply = (answer: Result.Result<unknown, unknown>) =>
      this.connection.replyWith(id, (writer) => codec.writeAnswer(answer, writer))
    // The codec read what its schema says.
    if (codec === GuestWire.control.load) {
      reply(this.load(payload.success as GuestWire.Load))
    } else if (codec === GuestWire.control.receipt) {
      reply(Result.void)
    } else {
      const { except, guest } = payload.success as GuestWire.Unload
      this.ending++
      Effect.runFork(this.unload(guest, new Set(except))).addObserver(() => {
        this.ending--
        reply(Result.void)
      })
    }
  }

  private load(load: GuestWire.Load): Result.Result<void, GuestError.Reason> {
    const cell = new Float64Array(load.stats)
    SharedStats.begin(cell)
    try {
      const guest = new Guest.Guest({
        compiled: load.module,
        imports: load.moduleImports,
        signaturesChecked: load.signaturesChecked,
        signature: { plugin: load.plugin, imports: load.imports, exports: load.exports },
        hosts: load.imports.map((signature, index) => this.hosts.of(load.guest, signature, index)),
        context: nobody,
        limits: load.limits,
        onUnheard: (error, owner) => this.tellUnheard(load.guest, error, owner?.id ?? 0),
        onChange: (guest) => SharedStats.write(cell, guest)
      })
      SharedStats.write(cell, guest)
      this.guests.set(load.guest, guest)
      return Result.void
    } catch (error) {
      SharedStats.fail(cell)
      return Result.fail(new GuestError.InstantiationFailed({ detail: String(error) }))
    }
  }

  private unload(number: number, except: ReadonlySet<number>): Effect.Effect<void> {
    const guest = this.guests.get(number)
    if (guest === undefined) return Effect.void
    this.guests.delete(number)
    return guest.closeBut((hostCall) => except.has(hostCall.id))
  }
}

const failureOf = (cause: Cause.Cause<unknown>, { dead }: Guest.Guest, hasBegun: boolean): GuestWire.Failure => {
  const error = Cause.findError(cause)
  const reason =
    Result.isSuccess(error) && isA(error.success, GuestError.GuestError)
      ? error.success.reason
      : new HostCallError.Defect({ cause: Cause.squash(cause) })
  return { reason, hasBegun, ...(dead === undefined ? {} : { dead }) }
}

/** The answer to a call whose caller has left. */
const toNobody: GuestCall.GuestExit<never> = Exit.fail(
  new GuestError.GuestError({ plugin: "", reason: GuestError.closed })
)
