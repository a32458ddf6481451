/**
 * Worker side of a pool: serves the pool's functions to the thread that owns this one, and to callers on other threads
 * that the owner has let in.
 *
 * It answers nothing before `serve`, and the end of the scope that `serve` runs in interrupts what runs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import type { Connection } from "../../Connection.ts"
import type * as HostFunction from "../../HostFunction.ts"
import * as Wire from "../../Wire.ts"
import type { Channels } from "../blocking/Channels.ts"
import { Door } from "../blocking/Door.ts"
import { WaitsFor } from "../blocking/WaitsFor.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import { Board, type Place } from "../pool/Board.ts"
import * as Signal from "../pool/Signal.ts"
import { CallServer, type Service } from "./CallServer.ts"

export interface Options {
  readonly port: Wire.Port
  readonly start: Signal.Start
  /** How callers on other threads reach this one; without it the owner alone calls it. */
  readonly channels: Channels | undefined
  /** The owner wants this thread to end. */
  readonly onClose: () => void
}

export class HostServer {
  private readonly owner: CallServer
  private readonly board: Board
  private readonly place: Place
  private readonly doors = new Map<string, Door>()
  private readonly options: Options
  private readonly service: { -readonly [K in keyof Service]: Service[K] }
  private closing = false

  constructor(options: Options) {
    const { generation, slot } = options.start
    this.options = options
    this.board = new Board(options.start.board)
    this.place = { slot, generation }
    this.service = {
      functions: [],
      context: Context.empty(),
      onBegin: (index) => this.board.setLastRan(slot, index)
    }
    this.owner = new CallServer({
      port: options.port,
      service: this.service,
      onEntered: () => this.board.enter(slot),
      onReturned: () => this.board.leave(slot),
      onAnswered: () => this.board.release(this.place),
      onSignal: (id, reader) => this.onSignal(id, reader),
      onFault: (detail) => {
        // The owner's messages cannot be trusted: this thread ends, and the owner sees it.
        throw new Error(`what the owner of this thread sent cannot be carried out: ${detail}`)
      },
      isBusy: this.isBusy
    })
    if (options.channels !== undefined) this.board.setThreadId(slot, options.channels.threadId)
    options.port.watch?.(this.board.words, this.board.ringIndex(slot))
  }

  /** To the owner. */
  get connection(): Connection {
    return this.owner.connection
  }

  /** Tells the owner that calls are served from now on: in the contract's order, until the scope ends. */
  serve(functions: ReadonlyArray<HostFunction.Implementation>): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.map(Effect.context<never>(), (context) => {
        this.service.functions = functions
        // The owner's log level is what handlers were built with: around a call there is none but its caller's.
        this.service.context = withoutLogLevel(context)
        this.connection.signal(Signal.ready)
      }),
      () =>
        Effect.suspend(() => {
          const callers = Array.from(this.doors.values()).flatMap((door) => door.close())
          return Fiber.interruptAll([...this.owner.fibers, ...callers])
        })
    )
  }

  /** Whether the thread ends, or runs something for anybody. */
  private readonly isBusy = (): boolean => {
    if (this.closing || this.owner.isRunning) return true
    for (const door of this.doors.values()) if (door.isRunning) return true
    return false
  }

  private onSignal(id: number, reader: Reader): void {
    switch (id) {
      case Signal.close:
        Wire.skipValue(reader)
        this.closing = true
        return this.options.onClose()
      case Signal.ask:
        Wire.skipValue(reader)
        return this.board.hear(this.place.slot)
      case Signal.admit:
        return this.admit(Wire.withValue(reader, (value) => Signal.read(Signal.admissionCodec, value)))
      case Signal.dismiss:
        return this.dismiss(Signal.decode(Signal.detailCodec, Wire.readValue(reader)))
      default:
        return Wire.skipValue(reader)
    }
  }

  /** Opens this thread to a caller on another one. */
  private admit({ bell, name }: Signal.Admission): void {
    const { channels, start } = this.options
    if (channels === undefined) return
    const door = new Door({
      channels,
      name,
      bell,
      place: this.place,
      board: this.board,
      waits: new WaitsFor(start.waits),
      service: this.service,
      onFree: () => {
        this.board.release(this.place)
        if (this.board.ownerWaits) this.connection.signal(Signal.room)
      },
      isBusy: this.isBusy,
      onClosed: () => this.doors.delete(name)
    })
    this.doors.set(name, door)
    this.connection.signal(Signal.admitted, Signal.encode(Signal.detailCodec, name))
  }

  private dismiss(name: string): void {
    this.doors.get(name)?.close()
  }
}

const withoutLogLevel = Context.omit(References.MinimumLogLevel)
