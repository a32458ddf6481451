/**
 * Caller's side: the calls of a thread that blocks for their answers.
 *
 * It chooses a thread of the pool by the pool's board and takes a place there, sends the call over a channel of its own, and
 * reads what comes only when it is asked for it. A blocked thread hears of nothing: answers, the end of a thread and of
 * the pool are in shared memory or in the channel, and whoever puts them there rings the bell.
 */
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as BlockingError from "../../BlockingError.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as HostFunction from "../../HostFunction.ts"
import { Board, Phase, type Place } from "../pool/Board.ts"
import { Bell } from "./Bell.ts"
import { BlockingCall } from "./BlockingCall.ts"
import type { Channels } from "./Channels.ts"
import type { Handle } from "./Handle.ts"
import { ThreadLine } from "./ThreadLine.ts"
import { WaitsFor } from "./WaitsFor.ts"

export type Failure = HostCallError.HostCallError | BlockingError.BlockingError

export class Caller {
  private readonly handle: Handle
  private readonly codecs: ReadonlyArray<FunctionCodec>
  private readonly channels: Channels
  private readonly board: Board
  private readonly bell: Bell
  private readonly waits: WaitsFor
  /** By slot. */
  private readonly lines = new Map<number, ThreadLine>()
  private readonly calls = new Set<BlockingCall>()

  constructor(handle: Handle, codecs: ReadonlyArray<FunctionCodec>, channels: Channels) {
    this.handle = handle
    this.codecs = codecs
    this.channels = channels
    this.board = new Board(handle.board)
    this.bell = new Bell(handle.bell)
    this.waits = new WaitsFor(handle.waits)
  }

  /** Starts a call on the least busy thread. While there is no room it blocks for up to `milliseconds`, or fails. */
  spawn(index: number, payload: unknown, milliseconds: number | "fail"): Result.Result<BlockingCall, Failure> {
    const { name } = this.codecs[index]!
    const end = performance.now() + (milliseconds === "fail" ? 0 : milliseconds)
    while (true) {
      const heard = this.board.roomCount
      this.read()
      if (this.bell.isReleased) return blockingFailure(name, new BlockingError.Released())
      if (this.board.phase !== Phase.Open) return callFailure(name, new HostCallError.Closed())
      const place = this.reserve()
      if (place !== undefined) return this.send(index, payload, place)

      const deadlock = this.neverRoom()
      if (deadlock !== undefined) return blockingFailure(name, new BlockingError.WouldDeadlock({ detail: deadlock }))
      if (milliseconds === "fail") {
        return blockingFailure(name, new BlockingError.NoRoom({ concurrency: this.handle.concurrency }))
      }
      const left = end - performance.now()
      if (left <= 0) {
        return blockingFailure(name, new BlockingError.TimedOut({ waitedFor: "room", milliseconds, goesOn: false }))
      }
      this.board.waitForRoom(heard, left)
    }
  }

  /** Starts a call and blocks until it has its exit: for up to `milliseconds` altogether, then it is interrupted. */
  run(index: number, payload: unknown, milliseconds: number): Result.Result<BlockingCall, Failure> {
    const end = performance.now() + milliseconds
    const call = this.spawn(index, payload, milliseconds)
    if (Result.isFailure(call)) return call
    const failure = this.waitUntil(call.success, end, { milliseconds, goesOn: false })
    if (failure === undefined) return call
    call.success.interrupt()
    return Result.fail(failure)
  }

  /** Blocks for up to `milliseconds` until the call has its exit, or says why not. */
  wait(call: BlockingCall, milliseconds: number): BlockingError.BlockingError | undefined {
    return this.waitUntil(call, performance.now() + milliseconds, { milliseconds, goesOn: true })
  }

  private waitUntil(
    call: BlockingCall,
    end: number,
    late: { readonly milliseconds: number; readonly goesOn: boolean }
  ): BlockingError.BlockingError | undefined {
    const self = this.channels.threadId
    while (true) {
      const { count } = this.bell
      this.read()
      if (call.exit !== undefined) return undefined
      const left = end - performance.now()
      if (left <= 0) return failed(call.codec.name, new BlockingError.TimedOut({ waitedFor: "reply", ...late }))
      if (!this.waits.begin(self, this.board.threadId(call.line.place.slot))) {
        return failed(call.codec.name, new BlockingError.WouldDeadlock({ detail: circle }))
      }
      this.bell.wait(count, left)
      this.waits.end(self)
    }
  }

  /** Reads what has come, and settles what is not answered any more. */
  read(): void {
    // What ended is asked for first: what was posted before that is there then.
    const isReleased = this.bell.isReleased
    const isClosed = this.board.phase === Phase.Closed
    const lost = Array.from(this.lines.values()).filter(({ place }) => this.board.isLost(place))
    for (const line of this.lines.values()) line.read()
    if (isReleased) this.settle(() => new BlockingError.Released())
    else if (isClosed) this.settle(() => new HostCallError.Closed())
    for (const line of lost) this.lose(line)
    if (isReleased || isClosed) {
      for (const line of this.lines.values()) line.close()
      this.lines.clear()
    }
    for (const call of this.calls) if (call.exit !== undefined) this.calls.delete(call)
  }

  /** Interrupts what is not answered, and leaves. */
  close(): void {
    this.bell.release()
    this.read()
  }

  private send(index: number, payload: unknown, place: Place): Result.Result<BlockingCall, Failure> {
    const codec = this.codecs[index]!
    const call = new BlockingCall(index, codec, this.lineTo(place), payload)
    this.calls.add(call)
    const refused = call.send()
    if (refused === undefined) return Result.succeed(call)
    this.calls.delete(call)
    this.giveBack(place)
    return Result.fail(HostFunction.argumentsRefused(codec.name, refused))
  }

  /** A place on the least busy thread that listens, unless none has one. */
  private reserve(): Place | undefined {
    const refused = new Set<number>()
    while (true) {
      let chosen: Place | undefined
      let least = this.handle.concurrency
      for (const place of this.threads()) {
        const load = this.board.load(place.slot)
        if (load >= least || refused.has(place.slot) || this.isOwn(place)) continue
        chosen = place
        least = load
      }
      if (chosen === undefined) return undefined
      if (this.board.reserve(chosen, this.handle.concurrency)) {
        this.bell.hold(chosen.slot)
        if (this.bell.isListening(chosen.slot, chosen.generation)) return chosen
        this.giveBack(chosen)
      }
      refused.add(chosen.slot)
    }
  }

  private giveBack(place: Place): void {
    if (this.bell.giveBack(place.slot)) this.board.release(place)
  }

  private threads(): ReadonlyArray<Place> {
    const threads: Array<Place> = []
    for (let slot = 0; slot < this.board.size; slot++) {
      const place = this.board.ready(slot)
      if (place !== undefined && this.bell.isListening(slot, place.generation)) threads.push(place)
    }
    return threads
  }

  private isOwn({ slot }: Place): boolean {
    return this.board.threadId(slot) === this.channels.threadId
  }

  /** Why waiting for room is in vain. */
  private neverRoom(): string | undefined {
    const threads = this.threads()
    const self = this.channels.threadId
    if (threads.length === 0 && this.handle.owner === self) return noThread
    const waits = ({ slot }: Place) => this.waits.leads(this.board.threadId(slot), self)
    return threads.length > 0 && threads.every(waits) ? circle : undefined
  }

  private lineTo(place: Place): ThreadLine {
    const line = this.lines.get(place.slot)
    if (line?.place.generation === place.generation) return line
    if (line !== undefined) this.lose(line)
    const { contract, name } = this.handle
    const made = new ThreadLine(contract, name, place, this.board, this.channels, () => this.lose(made))
    this.lines.set(place.slot, made)
    return made
  }

  private lose(line: ThreadLine): void {
    this.lines.delete(line.place.slot)
    line.lost(this.codecs[this.board.lastRan(line.place)]?.name)
  }

  private settle(reason: () => HostCallError.Closed | BlockingError.Released): void {
    for (const call of this.calls) {
      const why = reason()
      if (why._tag === "Closed") call.fail(why)
      else call.exit ??= Exit.fail(failed(call.codec.name, why))
    }
  }
}

const circle =
  "every thread that could answer waits for this one. Answer it first, or make the call from a thread that nobody waits for"
const noThread =
  "no thread of the pool is left, and the one that starts another is this one. Let its event loop turn, or raise the pool's size"

const failed = (name: string, reason: BlockingError.Reason): BlockingError.BlockingError =>
  new BlockingError.BlockingError({ function: name, reason })

const blockingFailure = (name: string, reason: BlockingError.Reason): Result.Result<never, Failure> =>
  Result.fail(failed(name, reason))

const callFailure = (name: string, reason: HostCallError.Reason): Result.Result<never, Failure> =>
  Result.fail(new HostCallError.HostCallError({ function: name, reason }))
