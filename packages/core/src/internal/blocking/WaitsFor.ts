/**
 * Which thread is blocked until which other has answered, or has room, for all threads of an application: so that a thread
 * which would wait for itself, over however many others, is refused instead.
 *
 * A thread says whom it may have to wait for, looks whether it must, and then says that it waits: not so when the other has
 * answered in between. Who answers says so before it does anything else, and posts all its answers before it waits. So a
 * thread that waits has read all that it was answered, and of threads that wait for each other none can go on.
 *
 * Each looks for a circle once it waits, so that the last one sees it. Where one of them had an answer to read it is that one,
 * which looks again: at once when it was rung, or now and then. Who waits for room on one of several threads stands in no
 * table, and looks again now and then. Room that was given back stands in none either: of two threads one of which waits for
 * the other's room, and the other for its answer, one is refused, whichever comes last.
 */
import * as Context from "effect/Context"

/** Threads are told apart by their number modulo this; of two live ones with the same remainder one is not noticed. */
const entries = 2048

/**
 * Words of an entry: a thread's number plus one; a count that is odd while it waits, and is never the same again; the number, plus
 * one, of whom it waits for.
 */
const owner = 0
const turn = 1
const target = 2
const entryWords = 3

export class WaitsFor {
  readonly memory: SharedArrayBuffer
  private readonly words: Int32Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4 * entries * entryWords)) {
    this.memory = memory
    this.words = new Int32Array(memory)
  }

  /** Says that `thread`, the calling one, looks whether it must wait for `other`. The turn to `begin` with. */
  look(thread: number, other: number): number {
    const entry = at(thread)
    const looking = this.stop(entry)
    Atomics.store(this.words, entry + owner, thread + 1)
    Atomics.store(this.words, entry + target, other + 1)
    return looking
  }

  /**
   * Says that `thread`, the calling one, waits, unless it was told something since it began to look. False when whom it waits for
   * waits for it: then it does not.
   */
  begin(thread: number, looking: number): boolean {
    const entry = at(thread)
    const waiting = looking + 1
    if (Atomics.compareExchange(this.words, entry + turn, looking, waiting) !== looking) return true
    // Its own wait is a part of the circle: it must have lasted until all of that was seen.
    if (!this.leads(this.next(entry), thread) || Atomics.load(this.words, entry + turn) !== waiting) return true
    this.stop(entry)
    return false
  }

  /** `thread`, the calling one, does not wait any more. */
  end(thread: number): void {
    this.stop(at(thread))
  }

  /** `by`, the calling thread, has answered `thread`, which may wait for another by now. */
  answered(thread: number, by: number): void {
    const entry = at(thread)
    if (Atomics.load(this.words, entry + target) === by + 1) this.stop(entry)
  }

  /** Whether `from` is, or waits over any number of threads for, `thread`. */
  leads(from: number, thread: number): boolean {
    const way: Array<readonly [entry: number, turn: number]> = []
    for (let next = from; next !== thread; ) {
      const entry = at(next)
      const seen = Atomics.load(this.words, entry + turn)
      const waits = (seen & 1) === 1 && Atomics.load(this.words, entry + owner) === next + 1
      if (!waits || way.length > entries) return false
      way.push([entry, seen])
      next = this.next(entry)
    }
    // They waited one after another. A turn that is still the same was there all the time, so they did all at once.
    return way.every(([entry, seen]) => Atomics.load(this.words, entry + turn) === seen)
  }

  private next(entry: number): number {
    return Atomics.load(this.words, entry + target) - 1
  }

  /** The next turn, in which it does not wait. */
  private stop(entry: number): number {
    const index = entry + turn
    for (let current = Atomics.load(this.words, index); ; ) {
      const next = ((current | 1) + 1) | 0
      const found = Atomics.compareExchange(this.words, index, current, next)
      if (found === current) return next
      current = found
    }
  }
}

/** The application's: threads that it starts are given it. */
export const Table: Context.Reference<WaitsFor> = Context.Reference("@fiberhost/core/WaitsFor", {
  defaultValue: () => new WaitsFor()
})

const at = (thread: number): number => (thread % entries) * entryWords
