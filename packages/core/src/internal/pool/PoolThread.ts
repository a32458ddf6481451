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
import type { Board, Place, Progress } from "./Board.ts"
import type { PoolCall } from "./PoolCall.ts"
import * as Signal from "./Signal.ts"

/** What the thread's owner is told. */
export interface Owner {
  readonly onReady: () => void
  /** Its program could not make the handlers. */
  readonly onStartFailed: (detail: string) => void
  /** It is ended: it must not be given calls any more. */
  readonly onTerminate: () => void
  /** A caller has left a call that the thread has. */
  readonly onLeft: () => void
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
  /** Whether it answered a call, or was ended for one; and whether it was given one since somebody last looked. */
  proven = false
  used = false
  /** Whether it takes no calls any more: it has ended, or is being ended. */
  isOver = false
  /** When it has ended: whether a caller was told of that. */
  hasTold = false
  private readonly owner: Owner
  readonly place: Place
  /** How many of the owner's calls it was sent. */
  private sent = 0
  private readonly functions: ReadonlyArray<string>
  private readonly board: Board
  private readonly admitting = new Map<string, () => void>()
  /** Why it was ended: what it sent that is no frame, or what it did not return from. */
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
    this.connection = new Connection(thread.port, this, (detail) => this.terminate(detail))
  }

  private terminate(detail: string): void {
    this.isOver = true
    this.fault ??= detail
    this.owner.onTerminate()
    this.thread.terminate()
  }

  /** Calls that it has, also of others than its owner. */
  get load(): number {
    return this.board.load(this.place.slot)
  }

  /** Takes a place for a call, if it has fewer than `concurrency`. */
  reserve(concurrency: number): boolean {
    return this.board.reserve(this.place, concurrency)
  }

  /**
   * Gives it a call, for which a place was taken, if its arguments fit. It has not ended. Calls that are made while the arguments are
   * read are sent after it.
   */
  run(call: PoolCall): boolean {
    this.active++
    this.used = true
    call.order = this.sent++
    const sent = this.connection.call(call)
    if (typeof sent === "number") {
      call.sent(this, sent)
      return true
    }
    this.active--
    this.notSent(call)
    this.board.release(this.place)
    call.refused(sent)
    return false
  }

  /** Of calls that were made while its arguments were read, the thread is sent one fewer before. */
  private notSent({ order }: PoolCall): void {
    if (--this.sent === order) return
    for (const call of this.pending) if (call.order > order) call.order--
  }

  /** Whether it has begun a call that it was sent, or may have. */
  hasBegun({ order }: PoolCall): boolean {
    return this.begunFrom(order) > 0
  }

  /** Whether it has begun none after this one. */
  isLastBegun({ order }: PoolCall): boolean {
    return this.begunFrom(order) === 1
  }

  /** How many calls it has begun, but for the first `order`. It counts modulo 2^32. */
  private begunFrom(order: number): number {
    return (this.progress.begun - order) | 0
  }

  /** The owner's calls that it has not answered. */
  get pending(): ReadonlyArray<PoolCall> {
    return this.connection.pending as ReadonlyArray<PoolCall>
  }

  get progress(): Progress {
    return this.board.progress(this.place.slot)
  }

  /** The caller of this call has left. */
  left(id: number): void {
    this.connection.interrupt(id)
    this.owner.onLeft()
  }

  /** Asks for a sign that it is at its messages: see `progress`. */
  ask(): void {
    this.connection.signal(Signal.ask)
  }

  /** Ends it: it does not return from a call that nobody waits for. Its program is not at fault, and is begun again at once. */
  giveUp(detail: string): void {
    this.proven = true
    this.terminate(detail)
  }

  /** One of its calls is answered, and the thread has given its place back. */
  answered(): void {
    this.active--
    this.proven = true
    this.owner.onRoom(this)
  }

  /** Settles what it has. The thread answers all the same, to nobody. */
  failAll(reason: HostCallError.Reason): void {
    for (const call of this.pending) call.fail(reason)
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

  /**
   * The thread has ended: its calls settle, but for those that it had not begun, and that can be sent to another. Those are returned,
   * in the order in which it was sent them.
   */
  end(why: Thread.Exit): ReadonlyArray<PoolCall> {
    // It may have said that it is ready last.
    this.isOver = true
    this.connection.acceptRest()
    const waiting = this.pending.filter(isWaiting)
    this.connection.end(why)
    for (const name of Array.from(this.admitting.keys())) this.admitted(name)
    const unbegun = waiting.filter(isWaiting).sort((one, other) => one.order - other.order)
    this.hasTold = unbegun.length < waiting.length
    return unbegun
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

const isWaiting = ({ isSettled }: PoolCall): boolean => !isSettled
