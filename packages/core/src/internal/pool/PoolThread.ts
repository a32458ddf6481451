/**
 * Owner's side: one thread of a pool, from its start until it is closed or lost: how many calls it has, and what it
 * tells about itself.
 */
import * as Result from "effect/Result"
import { Connection, type IncomingCall, type Server } from "../../Connection.ts"
import type * as HostCallError from "../../HostCallError.ts"
import * as Thread from "../../Thread.ts"
import * as Wire from "../../Wire.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Board, Place } from "./Board.ts"
import type { PoolCall } from "./PoolCall.ts"
import * as Signal from "./Signal.ts"

/** What the thread's owner is told. */
export interface Owner {
  readonly onReady: () => void
  /** Its program could not make the handlers. */
  readonly onStartFailed: (detail: string) => void
  /** It sent what is no frame, and is ended: it must not be given calls any more. */
  readonly onFault: () => void
  /** A call is answered, the owner's or another's: there is room for another. */
  readonly onRoom: (thread: PoolThread) => void
  readonly onLog: (record: Signal.LogRecord) => void
}

export class PoolThread implements Server {
  readonly awaitsMessage = false
  readonly name: string
  readonly thread: Thread.Thread
  readonly connection: Connection
  /** Calls of the owner's that it has not answered. */
  active = 0
  /** Whether it answered a call, and whether it was given one since somebody last looked. */
  proven = false
  used = false
  private readonly owner: Owner
  readonly place: Place
  private readonly functions: ReadonlyArray<string>
  private readonly board: Board
  private readonly admitting = new Map<string, () => void>()
  /** What it sent that is no frame. */
  private fault: string | undefined

  constructor(
    name: string,
    thread: Thread.Thread,
    functions: ReadonlyArray<string>,
    board: Board,
    place: Place,
    owner: Owner
  ) {
    this.name = name
    this.thread = thread
    this.functions = functions
    this.board = board
    this.place = place
    this.owner = owner
    // Nothing that it says can be trusted any more.
    this.connection = new Connection(thread.port, this, (detail) => {
      this.fault ??= detail
      owner.onFault()
      thread.terminate()
    })
  }

  /** Calls that it has, also of others than its owner. */
  get load(): number {
    return this.board.load(this.place.slot)
  }

  /** Takes a place for a call, if it has fewer than `concurrency`. */
  reserve(concurrency: number): boolean {
    return this.board.reserve(this.place, concurrency)
  }

  /** Gives it a call, for which a place was taken, if its arguments fit. It has not ended. */
  run(call: PoolCall): boolean {
    this.active++
    this.used = true
    const sent = this.connection.call(call)
    if (typeof sent === "number") {
      call.sent(this, sent)
      return true
    }
    this.active--
    this.board.release(this.place)
    call.refused(sent)
    return false
  }

  /** One of its calls is answered, and the thread has given its place back. */
  answered(): void {
    this.active--
    this.proven = true
    this.owner.onRoom(this)
  }

  /** Settles what it has. The thread answers all the same, to nobody. */
  failAll(reason: HostCallError.Reason): void {
    for (const call of this.connection.pending) (call as PoolCall).fail(reason)
  }

  /** Lets a caller on another thread in; `onListening` is told when the thread listens to him. */
  admit(admission: Signal.Admission, onListening: () => void): void {
    this.admitting.set(admission.name, onListening)
    this.connection.signalWith(Signal.admit, (writer) => {
      const written = Signal.admissionCodec.encode(admission, writer)
      return Result.isFailure(written) ? written.failure : undefined
    })
    // The owner may block next.
    this.connection.flush()
  }

  /** Shuts him out again. */
  dismiss(name: string): void {
    this.admitted(name)
    this.connection.signal(Signal.dismiss, Signal.encode(Signal.detailCodec, name))
    this.connection.flush()
  }

  private admitted(name: string): void {
    const onListening = this.admitting.get(name)
    this.admitting.delete(name)
    onListening?.()
  }

  /** Tells the program to interrupt what it runs and to end. */
  close(): void {
    this.connection.signal(Signal.close)
    this.connection.flush()
  }

  /** The thread has ended: its calls settle. */
  end(why: Thread.Exit): void {
    this.connection.end(why)
    for (const name of Array.from(this.admitting.keys())) this.admitted(name)
  }

  /** What is known of the end of its program. */
  loss({ detail, exitCode }: Thread.Exit): Thread.Loss {
    return Thread.lossOf({ exitCode, detail: this.fault ?? detail }, this.functions[this.board.lastRan(this.place)])
  }

  onSignal(id: number, reader: Reader): void {
    const value = Wire.readValue(reader)
    switch (id) {
      case Signal.ready:
        return this.owner.onReady()
      case Signal.startFailed:
        return this.owner.onStartFailed(Signal.decode(Signal.detailCodec, value))
      case Signal.log:
        return this.owner.onLog(Signal.decode(Signal.logCodec, value))
      case Signal.admitted:
        return this.admitted(Signal.decode(Signal.detailCodec, value))
      case Signal.room:
        return this.owner.onRoom(this)
      default:
        return reader.malformed(reader.offset, `${id} is no signal of a pool's thread`)
    }
  }

  onCall(_call: IncomingCall, reader: Reader): void {
    reader.malformed(reader.offset, "a pool's thread calls nobody")
  }

  onInterrupt(): void {}

  onAck(): void {}
}
