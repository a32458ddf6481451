/**
 * Owner's side: which call goes to which thread, and which waits.
 *
 * A call goes to the least busy thread that has room, or to the thread of the key that it is pinned to. What finds no
 * room waits in a line, first come first served: one line for the pool, one for each slot that keys are pinned to. A slot
 * is a place for a thread, which may be lost and replaced. Threads are started and ended by `ThreadPool`.
 *
 * Invariant: somebody waits only while no thread that could take the call has room.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Scheduler from "effect/Scheduler"
import * as HostCallError from "../../HostCallError.ts"
import { Line } from "../../Line.ts"
import type * as Thread from "../../Thread.ts"
import type { Bell } from "../blocking/Bell.ts"
import { pulse } from "../blocking/OwnerLife.ts"
import { Board, Phase, type Place } from "./Board.ts"
import type { Stats, WhenFull } from "./PoolBackend.ts"
import type { PoolCall } from "./PoolCall.ts"
import type { PoolThread } from "./PoolThread.ts"

/** Calls that wait for a thread, first come first served. */
export class WaitingLine {
  private readonly calls = new Line<PoolCall>()
  private readonly onLeft: () => void

  /** `onLeft` is told when a caller did not want to wait any more. */
  constructor(onLeft: () => void) {
    this.onLeft = onLeft
  }

  get size(): number {
    return this.calls.size
  }

  add(call: PoolCall): void {
    call.line = this
    this.calls.push(call)
  }

  /** A call that has stood in line before. */
  putBack(call: PoolCall): void {
    call.line = this
    this.calls.unshift(call)
  }

  shift(): PoolCall | undefined {
    const call = this.calls.shift()
    if (call !== undefined) call.line = undefined
    return call
  }

  leave(call: PoolCall): void {
    this.calls.remove(call)
    call.line = undefined
    this.onLeft()
  }

  fail(reason: HostCallError.Reason): void {
    for (let call = this.shift(); call !== undefined; call = this.shift()) call.fail(reason)
  }
}

/** A place for a thread. The first ones, `pinnable` of them, are always filled, or about to be. */
export class Slot {
  readonly number: number
  readonly waiting: WaitingLine
  thread: PoolThread | undefined
  /** What keeps the slot filled. */
  fiber: Fiber.Fiber<void> | undefined
  /** Messages that callers on other threads had posted to it when somebody last looked. */
  posted = 0
  /** Why no thread will fill it any more. */
  gaveUp: HostCallError.Reason | undefined

  constructor(number: number, waiting: WaitingLine) {
    this.number = number
    this.waiting = waiting
  }
}

export class Pool {
  readonly slots: Array<Slot> = []
  readonly board: Board
  lost = 0
  /** The timer of `lookAgain`, while it runs. */
  private look: ReturnType<typeof setTimeout> | undefined
  private readonly waiting = new WaitingLine(() => this.settle())
  private readonly threads: Array<PoolThread> = []
  /** Threads that take no more calls, and have not ended: what they have is not settled. */
  private readonly ending = new Set<PoolThread>()
  readonly concurrency: number
  private readonly capacity: number
  private readonly pinnable: number
  /** Told when a call finds no idle thread, and when one waits on though a thread has come. */
  private readonly onBusy: (() => void) | undefined
  /** Callers on other threads that are let in, by their handle's name, and what sees threads end while the owner is blocked. */
  private readonly callers = new Map<string, Bell>()
  private watcher: Thread.Watcher | undefined
  /** Whether others than the owner may have calls on its threads. */
  private isShared = false
  private phase: "Open" | "Draining" | "Closed" = "Open"
  private readonly idle = Deferred.makeUnsafe<void>()
  /** Whether `idle` is done, or will be in the next turn. */
  private isIdle = false
  private readonly dispatcher = Context.get(Context.empty(), Scheduler.Scheduler).makeDispatcher()

  constructor(options: {
    readonly concurrency: number
    readonly capacity: number
    /** Threads that there may be at once. */
    readonly slots: number
    readonly pinnable: number
    readonly onBusy: (() => void) | undefined
  }) {
    this.concurrency = options.concurrency
    this.capacity = options.capacity
    this.board = Board.make(options.slots)
    this.pinnable = options.pinnable
    this.onBusy = options.onBusy
  }

  get stats(): Stats {
    let active = 0
    // Callers on other threads have theirs on the board only; the owner's are answered there before he has read it.
    for (const thread of this.threads) active += Math.max(thread.active, thread.load)
    // Their places may be others' already.
    for (const thread of this.ending) active += thread.active
    let waiting = this.waiting.size
    for (const slot of this.slots) waiting += slot.waiting.size
    return { waiting, active, threads: this.threads.length, lost: this.lost }
  }

  /** Gives the call to a thread, or lets it wait; it may be settled on return. */
  spawn(call: PoolCall, whenFull: WhenFull): void {
    if (this.phase !== "Open") return call.fail(new HostCallError.Closed())
    const slot = call.key === undefined ? undefined : this.slotOf(call.key)
    const thread = slot === undefined ? this.leastBusy() : slot.thread
    if (this.onBusy !== undefined && (thread === undefined || thread.load > 0)) this.onBusy()
    const line = slot === undefined ? this.waiting : slot.waiting
    // A line next to a thread with room is one that `pump` is busy with.
    if (thread !== undefined && line.size === 0 && thread.reserve(this.concurrency)) {
      // Its arguments may have called the pool, and found this call in their way.
      if (!thread.run(call)) this.pumpAll()
      return
    }

    const gaveUp = slot === undefined ? this.gaveUp : slot.gaveUp
    if (gaveUp !== undefined) return call.fail(gaveUp)
    if (whenFull === "fail" && this.stats.waiting >= this.capacity) {
      return call.fail(new HostCallError.NoRoom({ capacity: this.capacity }))
    }
    line.add(call)
    if (!this.isShared) return
    this.board.ownerWaits = true
    this.lookAgain()
    // Room that a caller on another thread gave back before that would be told to nobody.
    this.pumpAll()
  }

  /** Whether a thread is on its way, or none will come any more. */
  get awaitsThread(): boolean {
    return (
      this.threads.length === 0 || this.slots.some((slot) => slot.thread === undefined && slot.gaveUp === undefined)
    )
  }

  /** A slot for one more thread, with the least number that is free. */
  add(): Slot {
    let number = 0
    while (this.slots.some((slot) => slot.number === number)) number++
    const slot = new Slot(number, new WaitingLine(() => this.settle()))
    this.slots.push(slot)
    this.expect()
    return slot
  }

  /** The slot is not wanted any more, unless keys are pinned to it. */
  remove(slot: Slot): void {
    const at = this.slots.indexOf(slot)
    if (at >= this.pinnable) this.slots.splice(at, 1)
    this.expect()
    // It may have been the last that could still get a thread: those who wait are told.
    const { gaveUp } = this
    if (gaveUp === undefined) return
    this.waiting.fail(gaveUp)
    this.settle()
  }

  private expect(): void {
    const threads = this.slots.filter(({ gaveUp }) => gaveUp === undefined).length
    this.board.expect(threads, this.onBusy === undefined ? 0 : this.board.size - this.slots.length)
  }

  /**
   * Slots that keys are not pinned to, whose threads had nothing to do since this was asked last. They get no more calls. As many
   * threads as there are slots for keys stay, also where some of those are empty for ever.
   */
  idleSlots(): ReadonlyArray<Slot> {
    const idle: Array<Slot> = []
    for (const slot of this.slots.slice(this.pinnable)) {
      if (slot.thread === undefined) continue
      const posted = this.board.posted(slot.number)
      const used = slot.thread.used || posted !== slot.posted
      slot.posted = posted
      const isSpare = this.threads.length > this.pinnable
      if (isSpare && slot.thread.active === 0 && !used && this.board.shutIdle(slot.number)) {
        this.vacate(slot)
        this.remove(slot)
        idle.push(slot)
      } else {
        slot.thread.used = false
      }
    }
    return idle
  }

  /** A thread will be in the slot. */
  begin({ number }: Slot): Place {
    return { slot: number, generation: this.board.begin(number) }
  }

  /** A thread takes calls from now on. */
  fill(slot: Slot, thread: PoolThread): void {
    slot.thread = thread
    this.threads.push(thread)
    this.watcher?.watch(thread.thread, this.board.memory, thread.place)
    for (const [name, { memory }] of this.callers) thread.admit({ name, bell: memory }, () => {})
    this.board.open(slot.number)
    this.pump(slot, thread)
    // Those who came while it was being started could ask for no other.
    if (this.waiting.size > 0) this.onBusy?.()
  }

  /** The slot's thread takes no more calls. */
  vacate(slot: Slot): void {
    if (slot.thread === undefined) return
    this.threads.splice(this.threads.indexOf(slot.thread), 1)
    this.ending.add(slot.thread)
    this.board.shut(slot.number)
    slot.thread = undefined
  }

  /** The slot's thread has ended: its calls fail, but for those that it had not begun. */
  ended(slot: Slot, thread: PoolThread, why: Thread.Exit): void {
    if (slot.thread === thread) this.vacate(slot)
    this.board.lose(thread.place)
    this.ringAll()
    for (const call of thread.end(why).toReversed()) this.putBack(call)
    this.ending.delete(thread)
    this.pumpAll()
    this.settle()
  }

  /** Another thread is to run the call. Who came after it is behind it again. */
  private putBack(call: PoolCall): void {
    if (this.phase === "Closed") return call.fail(new HostCallError.Closed())
    const line = call.key === undefined ? this.waiting : this.slotOf(call.key).waiting
    line.putBack(call)
  }

  /** No thread will come for those who wait, unless another slot has one or will. */
  giveUp(slot: Slot, reason: HostCallError.Reason): void {
    slot.gaveUp = reason
    this.remove(slot)
    slot.waiting.fail(reason)
    this.settle()
  }

  /** Gives the thread what waits, as far as it has room. */
  pump(slot: Slot, thread: PoolThread): void {
    while (slot.thread === thread && slot.waiting.size + this.waiting.size > 0 && thread.reserve(this.concurrency)) {
      thread.run((slot.waiting.shift() ?? this.waiting.shift())!)
    }
    this.settle()
  }

  private pumpAll(): void {
    for (const slot of this.slots) if (slot.thread !== undefined) this.pump(slot, slot.thread)
  }

  /** Calls may have left: says on the board whether the owner waits for room, and ends the drain when all are settled. */
  private settle(): void {
    const isOpen = this.phase === "Open"
    if (isOpen && !this.isShared) return
    // Said before it looks: who gives a place back in between tells it.
    this.board.ownerWaits = !isOpen || this.stats.waiting > 0
    const { active, waiting } = this.stats
    if (!isOpen && active === 0 && waiting === 0) this.becomeIdle()
    this.lookAgain()
  }

  /**
   * Looks for room again after a pulse, while somebody waits: a caller on another thread who gives back a place that he did not use
   * tells nobody of it.
   */
  private lookAgain(): void {
    if (this.look !== undefined || !this.isShared || !this.board.ownerWaits) return
    if (this.phase === "Closed" || this.isIdle) return
    this.look = setTimeout(() => {
      this.look = undefined
      this.pumpAll()
      this.settle()
    }, pulse)
  }

  /** Takes nothing new and completes when all that is in has settled. */
  get drain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.phase === "Open") {
        this.phase = "Draining"
        this.board.phase = Phase.Draining
      }
      this.settle()
      return Deferred.await(this.idle)
    })
  }

  /** Settles every call, and takes none from now on. */
  close(): void {
    this.phase = "Closed"
    clearTimeout(this.look)
    this.board.phase = Phase.Closed
    this.ringAll()
    const closed = new HostCallError.Closed()
    this.waiting.fail(closed)
    for (const slot of this.slots) slot.waiting.fail(closed)
    for (const thread of [...this.threads, ...this.ending]) thread.failAll(closed)
    this.becomeIdle()
  }

  /** Whoever drains goes on in a turn of his own: the last call is being answered on this stack. */
  private becomeIdle(): void {
    if (this.isIdle) return
    this.isIdle = true
    this.dispatcher.scheduleTask(() => Deferred.doneUnsafe(this.idle, Effect.void), 0)
  }

  // Callers on other threads

  /** Lets one in until `dismiss`; `onListening` is told when every thread that is ready listens to him. */
  admit(name: string, bell: Bell, watcher: Thread.Watcher | undefined, onListening: () => void): void {
    if (this.watcher === undefined && watcher !== undefined) {
      this.watcher = watcher
      for (const { place, thread } of this.threads) watcher.watch(thread, this.board.memory, place)
    }
    this.callers.set(name, bell)
    this.isShared = true
    this.settle()
    let left = 1
    const listening = () => {
      if (--left === 0) onListening()
    }
    for (const thread of this.threads) {
      left++
      thread.admit({ name, bell: bell.memory }, listening)
    }
    listening()
  }

  /** One of them asks for another thread. */
  callerFoundNoneIdle(): void {
    if (this.phase === "Open") this.onBusy?.()
  }

  dismiss(name: string): void {
    this.callers.get(name)?.release()
    this.callers.delete(name)
    this.board.announceRoom()
    for (const thread of this.threads) thread.dismiss(name)
  }

  private ringAll(): void {
    for (const bell of this.callers.values()) bell.ring()
  }

  private leastBusy(): PoolThread | undefined {
    const { threads } = this
    let chosen = threads[0]
    for (let i = 1; i < threads.length; i++) if (threads[i]!.load < chosen!.load) chosen = threads[i]
    return chosen
  }

  private slotOf(key: unknown): Slot {
    return this.slots[(Hash.hash(key) >>> 0) % this.pinnable]!
  }

  private get gaveUp(): HostCallError.Reason | undefined {
    let reason: HostCallError.Reason | undefined
    for (const slot of this.slots) {
      if (slot.gaveUp === undefined) return undefined
      reason = slot.gaveUp
    }
    return reason
  }
}
