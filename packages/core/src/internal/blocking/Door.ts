/**
 * Callee's side: where a caller that may block its thread reaches this one. It serves the caller's calls as the owner's
 * are served, and rings the caller's bell for each message.
 */
import type * as Fiber from "effect/Fiber"
import * as Wire from "../../Wire.ts"
import type { Board, Place } from "../pool/Board.ts"
import { CallServer, type Service } from "../serve/CallServer.ts"
import { Bell } from "./Bell.ts"
import type { Channel, Channels } from "./Channels.ts"
import type { WaitsFor } from "./WaitsFor.ts"

/** The caller's signal: that it has released the handle. */
export const released = 1

export interface Options {
  readonly channels: Channels
  /** The handle's. */
  readonly name: string
  readonly bell: SharedArrayBuffer
  readonly place: Place
  readonly board: Board
  readonly waits: WaitsFor
  readonly service: Service
  /** A place of the caller's is free. */
  readonly onFree: () => void
  readonly isBusy: () => boolean
  readonly onClosed: () => void
}

/** The channel of a handle to one thread. */
export const channelName = (name: string, { generation, slot }: Place): string => `${name}/${slot}/${generation}`

export class Door {
  private readonly options: Options
  private readonly channel: Channel
  private readonly bell: Bell
  private readonly calls: CallServer
  private isOpen = true

  constructor(options: Options) {
    const { board, channels, name, place, service, waits } = options
    this.options = options
    this.bell = new Bell(options.bell)
    this.channel = channels.join(channelName(name, place))
    this.calls = new CallServer({
      port: {
        ...this.channel,
        post: (message, transfer) => {
          if (!this.isOpen) return
          this.channel.post(message, transfer)
          // Before this thread does anything else: it may wait for the caller next.
          waits.answered(this.bell.opener, channels.threadId)
          this.bell.ring()
        }
      },
      service,
      onAnswered: () => {
        if (this.isOpen) this.bell.giveBack(place.slot)
        options.onFree()
      },
      onSignal: (id, reader) => {
        Wire.skipValue(reader)
        if (id === released) this.close()
      },
      // A caller that breaks the protocol is shut out, and told nothing but that.
      onFault: () => {
        this.bell.release()
        board.announceRoom()
        this.close()
      },
      isBusy: options.isBusy
    })
    this.bell.listen(place.slot, place.generation)
    board.announceRoom()
  }

  get isRunning(): boolean {
    return this.calls.isRunning
  }

  /** Interrupts what runs for the caller, who hears no more of it; it is returned. */
  close(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    if (!this.isOpen) return this.calls.fibers
    this.calls.connection.flush()
    this.isOpen = false
    const { channels, onClosed, onFree, place, waits } = this.options
    const places = this.bell.leave(place.slot, place.generation)
    this.channel.close()
    // He was released, or this thread ends: he is not answered here any more.
    if (this.bell.opener >= 0) waits.answered(this.bell.opener, channels.threadId)
    const { fibers } = this.calls
    // What has not arrived does so no more. What has keeps its place until it is answered, to nobody.
    for (let left = places - this.calls.unanswered; left > 0; left--) onFree()
    for (const fiber of fibers) fiber.interruptUnsafe()
    onClosed()
    return fibers
  }
}
