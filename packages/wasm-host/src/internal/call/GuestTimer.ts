/**
 * The one timer of a guest: for the deadlines of its calls, and for what is looked at some time after they have left.
 *
 * A timer per call would cost more than most calls. This one sleeps until the earliest time of all, by Effect's `Clock`,
 * and looks then at everything that has not been removed. Owned by its guest, and ends with it.
 */
import * as Deadline from "@fiberhost/core/Deadline"
import * as Foreign from "@fiberhost/core/Foreign"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export interface Item {
  /** Milliseconds of Effect's `Clock`. */
  readonly dueAt: number
  /** Its index among the timer's items, -1 while it is in none: it begins so, and then only the timer writes it. */
  timerIndex: number
  /** Called once, after it was taken out; in no order among those that are due at once. */
  readonly due: () => void
}

export class GuestTimer {
  private readonly context: Context.Context<never>
  private readonly items: Array<Item> = []
  private sleeper: Fiber.Fiber<void> | undefined
  private wakesAt = Infinity

  /** `context`: whose clock it is. */
  constructor(context: Context.Context<never>) {
    this.context = context
  }

  get now(): number {
    return Deadline.now(this.context)
  }

  add(item: Item): void {
    item.timerIndex = this.items.length
    this.items.push(item)
    if (item.dueAt < this.wakesAt) this.sleepUntil(item.dueAt)
  }

  /** If it is there: the last one takes its place. The sleeper is not woken for that: it may wake once for nothing. */
  remove(item: Item): void {
    if (item.timerIndex < 0) return
    const last = this.items.pop()!
    if (last !== item) {
      this.items[item.timerIndex] = last
      last.timerIndex = item.timerIndex
    }
    item.timerIndex = -1
  }

  close(): void {
    for (const item of this.items) item.timerIndex = -1
    this.items.length = 0
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
    this.wakesAt = -Infinity
  }

  private sleepUntil(wakesAt: number): void {
    this.sleeper?.interruptUnsafe()
    this.wakesAt = wakesAt
    this.sleeper = Effect.runForkWith(this.context)(
      Effect.andThen(
        Effect.sleep(Math.max(0, wakesAt - this.now)),
        Effect.sync(() => this.wake())
      )
    )
  }

  private wake(): void {
    this.sleeper = undefined
    this.wakesAt = Infinity
    const { now } = this
    for (const item of this.items.slice()) {
      // What is told first may remove others.
      if (item.dueAt > now || item.timerIndex < 0) continue
      this.remove(item)
      Foreign.tell(() => item.due(), undefined)
    }
    let earliest = Infinity
    for (const { dueAt } of this.items) earliest = Math.min(earliest, dueAt)
    if (earliest < this.wakesAt) this.sleepUntil(earliest)
  }
}
