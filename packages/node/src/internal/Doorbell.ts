/**
 * How a thread that polls for messages hears of them without asking the port over and over: its owner counts, in memory
 * that both share, what it has posted.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** What a thread is started with: `data` is its program's, `busyPoll` how long it polls, in milliseconds. */
const Start = Schema.Struct({
  data: Schema.Unknown,
  busyPoll: Schema.Number,
  rings: Schema.declare((it: unknown): it is SharedArrayBuffer => it instanceof SharedArrayBuffer)
})
export type Start = typeof Start.Type

const startOf = Schema.decodeUnknownOption(Start)

/** Owner's side: what a thread is started with, and what tells it of a message that has been posted. */
export const make = (data: unknown, busyPoll: number): { readonly start: Start; readonly ring: () => void } => {
  const rings = new SharedArrayBuffer(4)
  const count = new Int32Array(rings)
  return { start: { data, busyPoll, rings }, ring: () => void Atomics.add(count, 0, 1) }
}

/** Worker side: the program's data, or undefined when nobody started the thread so. */
export const dataOf = (start: unknown): unknown => Option.getOrUndefined(startOf(start))?.data

/** Worker side: what the thread polls with, if it was started so. */
export const of = (start: unknown): Doorbell | undefined =>
  Option.getOrUndefined(Option.map(startOf(start), ({ busyPoll, rings }) => new Doorbell(rings, busyPoll)))

export class Doorbell {
  private readonly rings: Int32Array
  private readonly span: number

  constructor(rings: SharedArrayBuffer, span: number) {
    this.rings = new Int32Array(rings)
    this.span = span
  }

  /** What `take` finds now, or when the bell rings soon. */
  poll<A>(take: () => A | undefined): A | undefined {
    const heard = Atomics.load(this.rings, 0)
    const message = take()
    if (message !== undefined || this.span === 0) return message
    const end = performance.now() + this.span
    do {
      for (let look = 0; look < 100; look++) if (Atomics.load(this.rings, 0) !== heard) return take()
    } while (performance.now() < end)
    return undefined
  }
}
