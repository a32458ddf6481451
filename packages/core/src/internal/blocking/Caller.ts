/**
 * Caller's side: the calls of a thread that blocks for their answers.
 *
 * It chooses a thread of the pool by the pool's board and takes a place there, sends the call over a channel of its own, and
 * reads what comes only when it is asked for it. A blocked thread hears of nothing: answers, the end of a thread and of
 * the pool are in shared memory or in the channel, and whoever puts them there rings the bell.
 */
import * as Result from "effect/Result"
import * as BlockingError from "../../BlockingError.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import { Beside } from "../msgpack/Beside.ts"
import { Writer } from "../msgpack/MsgPackWriter.ts"
import * as Outbox from "../Outbox.ts"
import { Board, Phase, type Place } from "../pool/Board.ts"
import { Bell } from "./Bell.ts"
import { BlockingCall } from "./BlockingCall.ts"
import type { Channel, Channels } from "./Channels.ts"
import { type Handle, ownersChannel } from "./Handle.ts"
import { OwnerLife, pulse } from "./OwnerLife.ts"
import { ThreadConnection } from "./ThreadConnection.ts"
import { WaitsFor } from "./WaitsFor.ts"

export type CallError = HostCallError.HostCallError | BlockingError.BlockingError

/** Why no call is begun. */
type Refusal = HostCallError.Closed | HostCallError.NoThread | BlockingError.Reason

/** How long one waits: until `end` of this thread's `performance.now()`, `milliseconds` after it began. */
interface Limit {
  readonly milliseconds: number
  readonly end: number
}

export class Caller {
  private readonly handle: Handle
  private readonly codecs: ReadonlyArray<FunctionCodec>
  private readonly channels: Channels
  private readonly board: Board
  private readonly bell: Bell
  private readonly waits: WaitsFor
  /** By slot. */
  private readonly threads = new Map<number, ThreadConnection>()
  private readonly owner: OwnerLife
  /** To the owner, once he was asked for a thread, and when that was last. */
  private toOwner: Channel | undefined
  private asked = -Infinity
  /** Kept for the next call. */
  private draft: Writer | undefined

  constructor(handle: Handle, codecs: ReadonlyArray<FunctionCodec>, channels: Channels) {
    this.handle = handle
    this.codecs = codecs
    this.channels = channels
    this.board = new Board(handle.board)
    this.bell = new Bell(handle.bell)
    this.waits = new WaitsFor(handle.waits)
    this.owner = new OwnerLife(this.board)
  }

  /** Starts a call on the least busy thread, or fails when there is no room. */
  trySpawn(index: number, payload: unknown): Result.Result<BlockingCall, CallError> {
    return this.start(index, payload, undefined)
  }

  /** Starts a call on the least busy thread. While there is no room it blocks for up to `milliseconds`. */
  spawn(index: number, payload: unknown, milliseconds: number): Result.Result<BlockingCall, CallError> {
    return this.start(index, payload, limitOf(milliseconds))
  }

  /** Starts a call and blocks until it is settled: for up to `milliseconds` altogether, then it is interrupted. */
  run(index: number, payload: unknown, milliseconds: number): Result.Result<BlockingCall, CallError> {
    const limit = limitOf(milliseconds)
    const call = this.start(index, payload, limit)
    if (Result.isFailure(call)) return call
    const failure = this.waitUntil(call.success, limit, false)
    if (failure === undefined) return call
    call.success.interrupt()
    return Result.fail(failure)
  }

  /** Blocks for up to `milliseconds` until the call is settled, or says why not. */
  wait(call: BlockingCall, milliseconds: number): CallError | undefined {
    return this.waitUntil(call, limitOf(milliseconds), true)
  }

  private start(index: number, payload: unknown, limit: Limit | undefined): Result.Result<BlockingCall, CallError> {
    const draft = this.takeDraft()
    const call = this.startWith(draft, index, payload, limit)
    draft.reset()
    // Nothing that lies beside it is kept.
    if (draft.beside!.list.length > 0) draft.beside = undefined
    this.draft = draft
    return call
  }

  private startWith(
    draft: Writer,
    index: number,
    payload: unknown,
    limit: Limit | undefined
  ): Result.Result<BlockingCall, CallError> {
    const codec = this.codecs[index]!
    // Before it has a place: this runs code of the caller's, a getter of the payload for example, which may call and wait as well.
    const refused = codec.draftArguments(payload, draft)
    if (refused !== undefined) return Result.fail(HostCallError.argumentsRefused(codec.name, refused))
    // Whoever this thread has answered does not wait for it any more.
    Outbox.flushAll()
    const found = this.look(this.board.unborn) ?? (limit === undefined ? this.noRoom() : this.waitForRoom(limit))
    return "_tag" in found ? Result.fail(failed(codec.name, found)) : this.send(index, draft, found)
  }

  private noRoom(): BlockingError.NoRoom {
    return new BlockingError.NoRoom({ concurrency: this.handle.concurrency })
  }

  /** An empty writer for the arguments of one call: those of another may be in the making. */
  private takeDraft(): Writer {
    const draft = this.draft ?? new Writer(draftBytes)
    this.draft = undefined
    draft.beside ??= new Beside(true)
    return draft
  }

  private waitUntil(call: BlockingCall, { end, milliseconds }: Limit, goesOn: boolean): CallError | undefined {
    const self = this.channels.threadId
    const { slot } = call.thread.place
    try {
      while (true) {
        // Whoever this thread has answered does not wait for it any more.
        Outbox.flushAll()
        const { count } = this.bell
        const looking = this.waits.look(self, this.board.threadId(slot))
        this.read()
        if (call.isSettled) return undefined
        const left = end - performance.now()
        if (left <= 0) {
          return failed(call.codec.name, new BlockingError.TimedOut({ waitedFor: "reply", milliseconds, goesOn }))
        }
        if (!this.waits.begin(self, looking)) {
          return failed(call.codec.name, new BlockingError.WouldDeadlock({ detail: circle }))
        }
        this.bell.wait(count, Math.min(left, pulse))
      }
    } finally {
      this.waits.end(self)
    }
  }

  /** Reads what has come, and settles what is not answered any more. */
  read(): void {
    // What ended is asked for first: what was posted before that is there then.
    const isReleased = this.bell.isReleased
    const isClosed = this.board.phase === Phase.Closed
    const allLost = this.owner.isOver
    const lost = Array.from(this.threads.values()).filter(({ place }) => allLost || this.board.isLost(place))
    for (const thread of this.threads.values()) thread.read()
    if (isReleased) this.settle(new BlockingError.Released())
    else if (isClosed) this.settle(new HostCallError.Closed())
    for (const thread of lost) this.lose(thread)
    if (isReleased || isClosed) {
      for (const thread of this.threads.values()) thread.close()
      this.threads.clear()
      this.toOwner?.close()
    }
  }

  /** Interrupts what is not answered, and leaves. */
  close(): void {
    this.bell.release()
    this.read()
  }

  /** A place on a thread, why there will be none, or undefined when it is worth waiting. `unborn`: the board's, when it began to wait. */
  private look(unborn: number): Place | Refusal | undefined {
    this.read()
    if (this.bell.isReleased) return new BlockingError.Released()
    if (this.board.phase !== Phase.Open) return new HostCallError.Closed()
    return this.reserve() ?? this.neverRoom(unborn)
  }

  /** Blocks until there is a place, or it is known that there will be none in time. */
  private waitForRoom({ end, milliseconds }: Limit): Place | Refusal {
    const self = this.channels.threadId
    const { unborn } = this.board
    try {
      return this.board.waitForRoom<Place | Refusal>(
        () => {
          // Of several threads it waits for any: that stands in no table, and is looked at again now and then.
          this.waits.end(self)
          const [only] = this.board.expected > 1 || this.mayGrow ? [] : this.ready()
          const looking = only && this.waits.look(self, this.threadId(only))
          const found = this.look(unborn)
          if (found !== undefined) return found
          if (performance.now() >= end) {
            return new BlockingError.TimedOut({ waitedFor: "room", milliseconds, goesOn: false })
          }
          if (looking === undefined || this.waits.begin(self, looking)) return undefined
          return new BlockingError.WouldDeadlock({ detail: circle })
        },
        () => Math.min(Math.max(0, end - performance.now()), pulse)
      )
    } finally {
      this.waits.end(self)
    }
  }

  private send(index: number, draft: Writer, place: Place): Result.Result<BlockingCall, CallError> {
    const codec = this.codecs[index]!
    const call = new BlockingCall(index, codec, this.threadOf(place), draft)
    const refused = call.send()
    if (refused === undefined) return Result.succeed(call)
    this.giveBack(place)
    return Result.fail(HostCallError.argumentsRefused(codec.name, refused))
  }

  /** A place on the least busy thread that listens, unless none has one. */
  private reserve(): Place | undefined {
    const refused = new Set<number>()
    while (true) {
      let chosen: Place | undefined
      let least = this.handle.concurrency
      for (const place of this.listening()) {
        const load = this.board.load(place.slot)
        if (load >= least || refused.has(place.slot) || this.waitsForSelf(place)) continue
        chosen = place
        least = load
      }
      if (chosen === undefined || least > 0) this.askForThread()
      if (chosen === undefined) return undefined
      if (this.bell.reserve(this.board, chosen, this.handle.concurrency)) {
        if (this.bell.isListening(chosen.slot, chosen.generation)) return chosen
        this.giveBack(chosen)
      }
      refused.add(chosen.slot)
    }
  }

  /** No thread is idle: the owner starts another if there may be more, when its event loop turns. It is asked now and then. */
  private askForThread(): void {
    if (this.board.expected === this.board.possible) return
    const now = performance.now()
    if (now - this.asked < pulse) return
    this.asked = now
    this.toOwner ??= this.channels.join(ownersChannel(this.handle.name))
    this.toOwner.post(null, [])
  }

  /** A place that was not used. */
  private giveBack(place: Place): void {
    if (this.bell.giveBack(place.slot)) this.board.release(place)
  }

  /** Threads that take calls of this caller. */
  private listening(): ReadonlyArray<Place> {
    return this.ready().filter(({ generation, slot }) => this.bell.isListening(slot, generation))
  }

  private ready(): ReadonlyArray<Place> {
    const ready: Array<Place> = []
    for (let slot = 0; slot < this.board.size; slot++) {
      const place = this.board.ready(slot)
      if (place !== undefined) ready.push(place)
    }
    return ready
  }

  private threadId({ slot }: Place): number {
    return this.board.threadId(slot)
  }

  /** Whether the thread is this one, or is blocked until this one has answered. */
  private waitsForSelf(place: Place): boolean {
    return this.waits.leads(this.threadId(place), this.channels.threadId)
  }

  /** Why waiting for room is in vain. */
  private neverRoom(unborn: number): HostCallError.NoThread | BlockingError.WouldDeadlock | undefined {
    const { expected, possible } = this.board
    if (expected === 0) return new HostCallError.NoThread({ detail: "has ended" })
    if (this.owner.isOver) return new HostCallError.NoThread({ detail: ownerGone })
    const ready = this.ready()
    if (!ready.every((place) => this.waitsForSelf(place))) return undefined
    if (ready.length >= possible) return new BlockingError.WouldDeadlock({ detail: circle })
    if (unborn !== this.board.unborn) return new BlockingError.WouldDeadlock({ detail: noGrowth })
    if (this.ownerTurns) return undefined
    return new BlockingError.WouldDeadlock({ detail: noThread })
  }

  /** Whether the owner starts another thread when it is asked. */
  private get mayGrow(): boolean {
    return this.board.expected < this.board.possible && this.ownerTurns
  }

  /** Whether the owner, who starts the threads that are not there yet, is not this thread, nor blocked until it has answered. */
  private get ownerTurns(): boolean {
    return !this.waits.leads(this.handle.owner, this.channels.threadId)
  }

  private threadOf(place: Place): ThreadConnection {
    const thread = this.threads.get(place.slot)
    if (thread?.place.generation === place.generation) return thread
    if (thread !== undefined) this.lose(thread)
    const { contract, name } = this.handle
    const onFault = (detail: string) => {
      // As a thread shuts him out whose messages it cannot read: nobody knows which calls were lost, and which places with them.
      this.lose(made, detail)
      this.close()
    }
    const made = new ThreadConnection(contract, name, place, this.board, this.channels, onFault)
    this.threads.set(place.slot, made)
    return made
  }

  private lose(thread: ThreadConnection, detail = ended): void {
    this.threads.delete(thread.place.slot)
    thread.lost(detail, this.codecs[this.board.lastRan(thread.place)]?.name)
  }

  private settle(reason: Refusal): void {
    for (const thread of this.threads.values()) {
      for (const call of thread.pending) call.fail(failed(call.codec.name, reason))
    }
  }
}

const limitOf = (milliseconds: number): Limit => ({ milliseconds, end: performance.now() + milliseconds })

const circle =
  "every thread that could answer waits for this one. Answer it first, or make the call from a thread that nobody waits for"
const noThread =
  "no other thread of the pool is left, and the one that starts another is, or waits for, this one. Let its event loop turn, " +
  "or raise the pool's size"
const noGrowth =
  "every thread that could answer waits for this one, and the one that would have been one more could not begin: the application's log says why"
const ownerGone = "ended with the thread that owned the pool"
const ended = "it ended: it exited, crashed, was terminated, or ran out of memory"

const failed = (name: string, reason: Refusal): CallError =>
  reason._tag === "Closed" || reason._tag === "NoThread"
    ? new HostCallError.HostCallError({ function: name, reason })
    : new BlockingError.BlockingError({ function: name, reason })

/** What the arguments of a call take at most. */
const draftBytes = 0x7fff_0000
