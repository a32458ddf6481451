/**
 * Which thread is blocked until which other has answered, for all threads of an application: so that a thread which
 * would wait for itself, over however many others, is refused instead.
 *
 * A thread says what it waits for before it looks whether that leads back to it, and who answers takes that back before
 * it does anything else. So of the threads of a circle at least the last one sees it, and a circle that is read twice
 * without a change is one. Who waits for room on one of several threads stands in no table, and looks again now and then.
 */
import * as Context from "effect/Context"

/** Threads are told apart by their number modulo this; of two live ones with the same remainder one is not noticed. */
const entries = 2048

/** Words of an entry: a thread's number plus one, how often it has waited, and the number, plus one, of who must answer. */
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

  /** Says that `thread`, the calling one, is about to wait for `other`. False when `other` waits for `thread`. */
  begin(thread: number, other: number): boolean {
    const entry = at(thread)
    Atomics.store(this.words, entry + owner, thread + 1)
    Atomics.add(this.words, entry + turn, 1)
    Atomics.store(this.words, entry + target, other + 1)
    if (!this.leads(other, thread)) return true
    Atomics.store(this.words, entry + target, 0)
    return false
  }

  /** `by`, the calling thread, has answered `thread`, which may wait for another by now. */
  answered(thread: number, by: number): void {
    Atomics.compareExchange(this.words, at(thread) + target, by + 1, 0)
  }

  /** `thread`, the calling one, does not wait any more. */
  end(thread: number): void {
    Atomics.store(this.words, at(thread) + target, 0)
  }

  /** Whether `from` is, or waits over any number of threads for, `thread`. */
  leads(from: number, thread: number): boolean {
    const first = this.way(from, thread)
    if (first === undefined) return false
    const second = this.way(from, thread)
    return second !== undefined && second.length === first.length && second.every((turn, i) => turn === first[i])
  }

  /** The turns of the threads on the way, if it leads there. */
  private way(from: number, thread: number): ReadonlyArray<number> | undefined {
    const turns: Array<number> = []
    for (let next = from; next !== thread; ) {
      const entry = at(next)
      const waits = Atomics.load(this.words, entry + target)
      if (waits === 0 || Atomics.load(this.words, entry + owner) !== next + 1 || turns.length > entries)
        return undefined
      turns.push(Atomics.load(this.words, entry + turn))
      next = waits - 1
    }
    return turns
  }
}

/** The application's: threads that it starts are given it. */
export const Table: Context.Reference<WaitsFor> = Context.Reference("@fiberhost/core/WaitsFor", {
  defaultValue: () => new WaitsFor()
})

const at = (thread: number): number => (thread % entries) * entryWords
