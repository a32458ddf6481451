/**
 * One end of a connection, as what comes there sees it: messages, and bytes in a ring buffer.
 *
 * A thread reads in turns of a millisecond, so that it turns to its timers and everything else between. As long as a turn
 * is due nobody needs to wake it: it reads the ring by itself. When none is, it sleeps. While an answer may come soon one
 * turn follows the other, or, where the port can poll, it waits on the stack.
 */
import type { RingBuffer } from "../RingBuffer.ts"
import * as Wire from "../Wire.ts"
import { afterTurn } from "./AfterTurn.ts"
import { BusyPoll } from "./BusyPoll.ts"
import type { Reader } from "./msgpack/MsgPackReader.ts"

/** Whose end it is. */
export interface Receiver {
  /** Whether nothing but a message can bring it on, so that its thread may poll for one on the stack. */
  readonly awaitsMessage: boolean
  /** Whether something was asked that is not answered: what comes next may come soon. */
  readonly awaitsAnswer: boolean
  /** Reads the frames that `open` opens, which throws a `CodecFailure` when there are none. */
  readonly read: (open: () => Reader) => void
  /** A message was read: sends what is enough for one. */
  readonly afterRead: () => void
  /** Sends all that there is: the thread may wait. */
  readonly flush: () => void
}

/** How long, in milliseconds, a thread reads before it turns to its timers. */
const turn = 1

export class Inbox {
  private readonly port: Wire.Port
  private readonly receiver: Receiver
  private readonly busyPoll: BusyPoll
  /** When the turn ends in which something was read; 0 when there is none. */
  private turnEnd = 0
  /** Messages that came after that. */
  private held: Array<unknown> = []
  /** Whether `nextTurn` comes. In a turn, and with a message held, it does. */
  private turnIsDue = false
  private polledInVain = false

  constructor(port: Wire.Port, receiver: Receiver) {
    this.port = port
    this.receiver = receiver
    this.busyPoll = new BusyPoll(port.busyPoll ?? 0)
    port.listen((message) => {
      this.busyPoll.end()
      if (this.held.length > 0 || !this.enterTurn()) this.held.push(message)
      else this.take(message)
    })
  }

  /** Something was sent that may be answered soon, by somebody who perhaps had to be woken. */
  asked(hasWoken = this.port.ringBuffers?.out.hasWoken() === true): void {
    if (this.busyPoll.begin(hasWoken)) this.scheduleTurn()
  }

  /** Reads what has come, and then a message that a blocked thread has fetched itself: its turns have no end, and no limit. */
  accept(message: unknown): void {
    this.acceptRest()
    this.receive(message)
  }

  /** Reads what has come. */
  acceptRest(): void {
    for (const message of this.held.splice(0)) this.receive(message)
    const { ringBuffers } = this.port
    if (ringBuffers !== undefined) this.readRing(ringBuffers.in)
  }

  /**
   * Whether the thread may read now: it begins a turn, or is in one. Two sides that answer each other at once would
   * never turn to anything else: a port delivers what comes while it delivers.
   */
  private enterTurn(): boolean {
    const now = performance.now()
    if (this.turnEnd === 0) {
      this.turnEnd = now + turn
      this.scheduleTurn()
    }
    return now < this.turnEnd
  }

  private scheduleTurn(): void {
    if (this.turnIsDue) return
    this.turnIsDue = true
    this.port.ringBuffers?.in.stayAwake()
    afterTurn(this.nextTurn)
  }

  private readonly nextTurn = (): void => {
    this.turnIsDue = false
    this.turnEnd = 0
    while (this.held.length > 0 && this.enterTurn()) this.take(this.held.shift())
    const { poll, ringBuffers } = this.port
    // Without them whatever comes is delivered by the event loop, so there is nothing to poll on for.
    const pollsOn = poll !== undefined && !this.polledInVain && this.receiver.awaitsMessage
    if (!this.turnIsDue && ringBuffers !== undefined && (pollsOn || !ringBuffers.in.isEmpty) && this.enterTurn()) {
      this.take(Wire.wake)
    }
    if (!this.turnIsDue && (this.busyPoll.turned() || ringBuffers?.in.sleep() === false)) this.scheduleTurn()
  }

  private readonly look = (): void => {
    if (this.port.ringBuffers?.in.isEmpty === false && this.enterTurn()) this.take(Wire.wake)
  }

  /** In a turn: reads a message, and what follows soon while the thread has nothing else to do and the turn lasts. */
  private take(message: unknown): void {
    const { port, receiver } = this
    this.receive(message)
    receiver.afterRead()
    // What is held came before what is polled for.
    if (this.held.length > 0) return
    if (port.poll === undefined) {
      // After those who were told, and before the event loop turns: that takes as long as several calls.
      if (port.ringBuffers !== undefined) queueMicrotask(this.look)
      return
    }
    this.polledInVain = false
    while (receiver.awaitsMessage && performance.now() < this.turnEnd) {
      receiver.flush()
      const next = port.poll()
      if (next === undefined) {
        this.polledInVain = true
        return
      }
      this.receive(next)
    }
  }

  /** Reads the ring, which has what came before the message, and the message. */
  private receive(message: unknown): void {
    const { ringBuffers, seal } = this.port
    if (ringBuffers !== undefined) {
      this.readRing(ringBuffers.in)
      if (message === Wire.wake) return
      ringBuffers.in.taken()
    }
    this.read(() => Wire.open(message, seal))
  }

  private readRing(ring: RingBuffer): void {
    if (ring.isEmpty) return
    this.busyPoll.end()
    this.read(() => Wire.openBytes(ring.read()!, this.port.seal))
  }

  /** Who has answered one call goes on with the others, or was answered himself and is not blocked any more. */
  private read(open: () => Reader): void {
    this.receiver.read(open)
    if (this.receiver.awaitsAnswer) this.asked()
  }
}
