/**
 * What every thread that uses a pool sees of it at any time, in shared memory: how busy its threads are, and whether it
 * takes calls. Threads that are blocked read and write it as well; that is what it is for.
 *
 * A caller takes a place on a thread (`reserve`) before it sends a call there, and the thread gives it back when it has
 * answered. Generation, readiness, end and load of a thread are one word, so that a place is never taken on the successor of
 * the thread that was meant.
 */

export const Phase = { Open: 0, Draining: 1, Closed: 2 } as const

/**
 * Words of the head: the pool's phase; a count that changes when there is room; who waits for that, blocked or in the owner's
 * lines; how many threads there are or will be; a count that changes while the owner lives, if a watcher sees to that; how many
 * threads there may be once it has grown; how often it could not grow.
 */
const phase = 0
const room = 1
const blocked = 2
const ownerWaits = 3
const expected = 4
const beats = 5
const possible = 6
const unborn = 7
const headWords = 8

/**
 * Words of a thread: its generation, readiness, end and load; the function that it began last, plus one; messages
 * posted to it by callers; its platform's number; how many of the owner's calls it has begun, modulo 2^32;
 * whether it is beginning the last of those, on its stack; how often it has heard the owner ask for a sign.
 *
 * What it began, and is at, it alone writes, as to any memory: nobody takes his turn by it.
 */
const state = 0
const ran = 1
const rings = 2
const thread = 3
const begun = 4
const entered = 5
const heard = 6
const slotWords = 7

const readyBit = 1 << 16
const lostBit = 1 << 15
const loadMask = lostBit - 1
const maxGeneration = 1 << 14

/** Calls that a thread may have at once. */
export const maxLoad = loadMask

/** One thread in one slot, as a caller has found it. */
export interface Place {
  readonly slot: number
  readonly generation: number
}

/** What a thread is at. If it was asked between two looks, and they are the same, it has been on one stack from then on. */
export interface Progress {
  /** How many of the owner's calls it has begun, modulo 2^32. */
  readonly begun: number
  /** Whether it is beginning the last of those, on its stack. */
  readonly isEntered: boolean
  /** How often it has heard the owner ask for a sign. */
  readonly heard: number
}

export class Board {
  readonly memory: SharedArrayBuffer
  readonly words: Int32Array
  readonly size: number

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.words = new Int32Array(memory)
    this.size = (this.words.length - headWords) / slotWords
  }

  /** The owner's, for so many threads. */
  static make(slots: number): Board {
    return new Board(new SharedArrayBuffer(4 * (headWords + slots * slotWords)))
  }

  get phase(): number {
    return Atomics.load(this.words, phase)
  }

  /** Owner's side. Who waits for room hears of it. */
  set phase(value: number) {
    Atomics.store(this.words, phase, value)
    this.announceRoom()
  }

  load(slot: number): number {
    return Atomics.load(this.words, at(slot, state)) & loadMask
  }

  /** The thread in the slot, if it takes calls. */
  ready(slot: number): Place | undefined {
    const word = Atomics.load(this.words, at(slot, state))
    return (word & readyBit) === 0 ? undefined : { slot, generation: word >>> 17 }
  }

  /** Whether the thread has ended. */
  isLost({ generation, slot }: Place): boolean {
    const word = Atomics.load(this.words, at(slot, state))
    return word >>> 17 !== generation || (word & lostBit) !== 0
  }

  /**
   * Takes a place on the thread, unless it has `limit` calls, or is not the one that was meant. For a caller whose own thread may be
   * terminated, it is counted in `counts[counted]` in the same step: where no function is called a thread does not end.
   */
  reserve({ generation, slot }: Place, limit: number, counts?: Int32Array, counted = 0): boolean {
    const index = at(slot, state)
    for (let word = Atomics.load(this.words, index); ; ) {
      if (word >>> 17 !== generation || (word & readyBit) === 0 || (word & loadMask) >= limit) return false
      const found = Atomics.compareExchange(this.words, index, word, word + 1)
      if (found === word) {
        if (counts !== undefined) Atomics.add(counts, counted, 1)
        return true
      }
      word = found
    }
  }

  /** Gives a place back, if that thread is there still: the call is answered, or was not sent. */
  release({ generation, slot }: Place): void {
    const index = at(slot, state)
    for (let word = Atomics.load(this.words, index); word >>> 17 === generation && (word & loadMask) > 0; ) {
      const found = Atomics.compareExchange(this.words, index, word, word - 1)
      if (found === word) break
      word = found
    }
    if (Atomics.load(this.words, blocked) > 0) this.announceRoom()
  }

  /** Owner's side: a thread will be in the slot. Its generation; it has no calls and takes none yet. */
  begin(slot: number): number {
    const index = at(slot, state)
    const generation = ((Atomics.load(this.words, index) >>> 17) + 1) % maxGeneration
    Atomics.store(this.words, at(slot, ran), 0)
    for (const word of [begun, entered, heard]) Atomics.store(this.words, at(slot, word), 0)
    Atomics.store(this.words, index, generation << 17)
    return generation
  }

  /** Owner's side: it takes calls. */
  open(slot: number): void {
    Atomics.or(this.words, at(slot, state), readyBit)
    this.announceRoom()
  }

  /** Owner's side: it takes no more calls. */
  shut(slot: number): void {
    Atomics.and(this.words, at(slot, state), ~readyBit)
  }

  /** Owner's side: as `shut`, unless it has calls. */
  shutIdle(slot: number): boolean {
    const index = at(slot, state)
    const word = Atomics.load(this.words, index)
    return (word & loadMask) === 0 && Atomics.compareExchange(this.words, index, word, word & ~readyBit) === word
  }

  /** The thread has ended, and its calls with it. */
  lose({ generation, slot }: Place): void {
    const index = at(slot, state)
    for (let word = Atomics.load(this.words, index); word >>> 17 === generation; ) {
      const found = Atomics.compareExchange(this.words, index, word, (generation << 17) | lostBit)
      if (found === word) break
      word = found
    }
    this.announceRoom()
  }

  /** The function that the thread began last: its index, or -1; also when another thread is in its slot. */
  lastRan({ generation, slot }: Place): number {
    const index = Atomics.load(this.words, at(slot, ran)) - 1
    return Atomics.load(this.words, at(slot, state)) >>> 17 === generation ? index : -1
  }

  setLastRan(slot: number, index: number): void {
    this.words[at(slot, ran)] = index + 1
  }

  /** Thread's side: a call of the owner's begins. */
  enter(slot: number): void {
    this.words[at(slot, begun)]!++
    this.words[at(slot, entered)] = 1
  }

  /** Thread's side: it has begun, and is on the stack no more. */
  leave(slot: number): void {
    this.words[at(slot, entered)] = 0
  }

  /** Thread's side: it is at its messages. */
  hear(slot: number): void {
    this.words[at(slot, heard)]!++
  }

  /** What the thread in the slot, or the last one there, is at. */
  progress(slot: number): Progress {
    return {
      begun: Atomics.load(this.words, at(slot, begun)),
      isEntered: Atomics.load(this.words, at(slot, entered)) === 1,
      heard: Atomics.load(this.words, at(slot, heard))
    }
  }

  /** The thread's number on its platform, by which it is told whether two threads are one. */
  threadId(slot: number): number {
    return Atomics.load(this.words, at(slot, thread))
  }

  setThreadId(slot: number, id: number): void {
    Atomics.store(this.words, at(slot, thread), id)
  }

  /** The word that changes when a caller has posted to the thread. */
  ringIndex(slot: number): number {
    return at(slot, rings)
  }

  ring(slot: number): void {
    Atomics.add(this.words, at(slot, rings), 1)
  }

  posted(slot: number): number {
    return Atomics.load(this.words, at(slot, rings))
  }

  /** Whether the owner wants to hear of calls that were not its own, when they are answered. */
  get ownerWaits(): boolean {
    return Atomics.load(this.words, ownerWaits) === 1
  }

  set ownerWaits(waits: boolean) {
    Atomics.store(this.words, ownerWaits, waits ? 1 : 0)
  }

  /** Threads that are there, or that the owner will start: 0 when its policy starts no more. */
  get expected(): number {
    return Atomics.load(this.words, expected)
  }

  /** As `expected`, and those that the owner starts when it is asked for them. */
  get possible(): number {
    return Atomics.load(this.words, possible)
  }

  /** Owner's side: how many threads to expect, and how many more it would start if it was asked. */
  expect(threads: number, more: number): void {
    Atomics.store(this.words, possible, threads + more)
    Atomics.store(this.words, expected, threads)
    this.announceRoom()
  }

  /** How many threads could not begin that would have been one more. */
  get unborn(): number {
    return Atomics.load(this.words, unborn)
  }

  /** Owner's side: one more could not. */
  countUnborn(): void {
    Atomics.add(this.words, unborn, 1)
    this.announceRoom()
  }

  /** Changes as long as the owner's watcher lives, which does not outlive the owner; 0 where there is none. */
  get beats(): number {
    return Atomics.load(this.words, beats)
  }

  beat(): void {
    Atomics.add(this.words, beats, 1)
  }

  /**
   * Calls `look` until it has an answer, and blocks this thread in between: until there may be room, or for as many milliseconds
   * as it says. Who gives room back while it looks is heard.
   */
  waitForRoom<A>(look: () => A | undefined, milliseconds: () => number): A {
    Atomics.add(this.words, blocked, 1)
    try {
      while (true) {
        const heard = Atomics.load(this.words, room)
        const found = look()
        if (found !== undefined) return found
        Atomics.wait(this.words, room, heard, milliseconds())
      }
    } finally {
      Atomics.sub(this.words, blocked, 1)
    }
  }

  /** Who waits for room looks again. */
  announceRoom(): void {
    Atomics.add(this.words, room, 1)
    Atomics.notify(this.words, room)
  }
}

const at = (slot: number, word: number): number => headWords + slot * slotWords + word
