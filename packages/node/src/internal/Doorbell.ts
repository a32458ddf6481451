/**
 * How a thread that polls for messages hears of them without asking the port over and over: its owner counts, in memory
 * that both share, what it has posted.
 */
import type { MessagePort } from "node:worker_threads"
import { RingBuffer } from "@fiberhost/core/RingBuffer"
import type { Rings } from "@fiberhost/core/Wire"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** What a thread is started with: `data` is its program's, `busyPoll` how long it polls, in milliseconds. */
const Start = Schema.Struct({
  data: Schema.Unknown,
  busyPoll: Schema.Number,
  toThread: Schema.declare((it: unknown): it is SharedArrayBuffer => it instanceof SharedArrayBuffer),
  toOwner: Schema.declare((it: unknown): it is SharedArrayBuffer => it instanceof SharedArrayBuffer),
  /** The thread's end of a port that closes when it ends: see `NodeThreadWatcher`. */
  lifeline: Schema.Unknown
})
export type Start = typeof Start.Type

const startOf = Schema.decodeUnknownOption(Start)

/** Owner's side: what a thread is started with, and what tells it of a message that has been posted. */
export const make = (
  data: unknown,
  busyPoll: number,
  lifeline: MessagePort
): { readonly start: Start; readonly rings: Rings } => {
  const rings = { out: new RingBuffer(), in: new RingBuffer() }
  return { start: { data, busyPoll, toThread: rings.out.memory, toOwner: rings.in.memory, lifeline }, rings }
}

/** Worker side: the program's data, or undefined when nobody started the thread so. */
export const dataOf = (start: unknown): unknown => Option.getOrUndefined(startOf(start))?.data

/** Worker side: what the thread polls with, if it was started so. */
export const of = (start: unknown): Doorbell | undefined =>
  Option.getOrUndefined(
    Option.map(
      startOf(start),
      ({ busyPoll, toOwner, toThread }) =>
        new Doorbell({ in: new RingBuffer(toThread), out: new RingBuffer(toOwner) }, busyPoll)
    )
  )

/** It polls once in sixty times when that is always in vain. */
const maxMisses = 6

export class Doorbell {
  /** Words that change when something was posted to the thread: by its owner, and by others. */
  private readonly watched: Array<readonly [words: Int32Array, index: number]> = []
  private readonly span: number
  private misses = 0
  /** Times that it does not poll: where messages are far between, or cores are few, it would take somebody's time. */
  private skips = 0

  readonly rings: Rings

  constructor(rings: Rings, span: number) {
    this.rings = rings
    this.span = span
  }

  /** Another word that changes when something was posted. */
  watch(words: Int32Array, index: number): void {
    this.watched.push([words, index])
  }

  private get rung(): number {
    let rung = this.rings.in.count
    for (const [words, index] of this.watched) rung += Atomics.load(words, index)
    return rung
  }

  /** What `take` finds now, or when the bell rings soon. */
  poll<A>(take: () => A | undefined): A | undefined {
    const heard = this.rung
    const message = take()
    if (message !== undefined || this.span === 0) return message
    if (this.skips > 0) {
      this.skips--
      return undefined
    }
    const end = performance.now() + this.span
    do {
      for (let look = 0; look < 100; look++)
        if (this.rung !== heard) {
          this.misses = 0
          return take()
        }
    } while (performance.now() < end)
    this.misses = Math.min(this.misses + 1, maxMisses)
    // One miss in a row skips nothing: a burst has an end.
    this.skips = 2 ** this.misses - 2
    return undefined
  }
}
