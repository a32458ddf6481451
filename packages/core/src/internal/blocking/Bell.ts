/**
 * What a caller that blocks its thread shares with the threads that it calls: they ring when they have posted to it, and
 * say when they listen to it. Who opened the handle, and that it was released, stand there as well.
 */
import type { Board, Place } from "../pool/Board.ts"

/** Words: the handle's state; the number, plus one, of the thread that opened it; what has been posted to it, as a count. */
const state = 0
const opener = 1
const rings = 2
const headWords = 3

/** Words of a thread: the generation, plus one, that listens to the caller; the places that he has taken on it. */
const listener = 0
const held = 1
const slotWords = 2

const State = { Unopened: 0, Opened: 1, Released: 2 } as const

export class Bell {
  readonly memory: SharedArrayBuffer
  private readonly words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.words = new Int32Array(memory)
  }

  /** For a pool of so many threads at most. */
  static make(slots: number): Bell {
    return new Bell(new SharedArrayBuffer(4 * (headWords + slots * slotWords)))
  }

  /** Caller's side: opens the handle for the calling thread. False when it is open, or was released. */
  open(thread: number): boolean {
    if (Atomics.compareExchange(this.words, state, State.Unopened, State.Opened) !== State.Unopened) return false
    Atomics.store(this.words, opener, thread + 1)
    return true
  }

  /** Either side: nobody uses the handle any more. */
  release(): void {
    Atomics.store(this.words, state, State.Released)
    this.ring()
  }

  get isReleased(): boolean {
    return Atomics.load(this.words, state) === State.Released
  }

  /** The thread that opened it, or -1. */
  get opener(): number {
    return Atomics.load(this.words, opener) - 1
  }

  /** A thread's side: it listens to the caller from now on. He has no places on it: what he had on its predecessor ended with that. */
  listen(slot: number, generation: number): void {
    Atomics.store(this.words, at(slot, held), 0)
    Atomics.store(this.words, at(slot, listener), generation + 1)
  }

  /** A thread's side: it does not listen any more. The places that the caller had taken on it: he has none now. */
  leave(slot: number, generation: number): number {
    const before = Atomics.compareExchange(this.words, at(slot, listener), generation + 1, 0)
    return before === generation + 1 ? Atomics.exchange(this.words, at(slot, held), 0) : 0
  }

  /** Whether that thread listens. */
  isListening(slot: number, generation: number): boolean {
    return Atomics.load(this.words, at(slot, listener)) === generation + 1
  }

  /** Caller's side: takes a place on the thread, unless it has `limit` calls, or is not the one that was meant. */
  reserve(board: Board, place: Place, limit: number): boolean {
    return board.reserve(place, limit, this.words, at(place.slot, held))
  }

  /** Gives a place back; false when the thread has done that, since it does not listen any more. */
  giveBack(slot: number): boolean {
    const index = at(slot, held)
    for (let count = Atomics.load(this.words, index); count > 0; ) {
      const found = Atomics.compareExchange(this.words, index, count, count - 1)
      if (found === count) return true
      count = found
    }
    return false
  }

  /** The caller looks again, also when it is blocked. */
  ring(): void {
    Atomics.add(this.words, rings, 1)
    Atomics.notify(this.words, rings)
  }

  get count(): number {
    return Atomics.load(this.words, rings)
  }

  /** Blocks the calling thread until the bell rings, or has since it was `heard`, or for so many milliseconds. */
  wait(heard: number, milliseconds: number): void {
    const end = performance.now() + Math.min(polled, milliseconds)
    while (Atomics.load(this.words, rings) === heard) {
      if (performance.now() < end) continue
      if (milliseconds > polled) Atomics.wait(this.words, rings, heard, milliseconds - polled)
      return
    }
  }
}

const at = (slot: number, word: number): number => headWords + slot * slotWords + word

/** How long the thread polls before it sleeps, in milliseconds: waking it takes its waker longer than a short call. */
const polled = 0.05
