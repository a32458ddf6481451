/**
 * The async calls that a guest has not resolved, also those whose callers have left, by the offset of their AsyncValue. It owns
 * nothing, and ends with its guest.
 *
 * A hash table that keeps its chains in the calls themselves: see `IdTable` for what a `Map` would keep of those that have left.
 */
import type { GuestCall } from "./GuestCall.ts"

/** What the table keeps in each call. */
export interface Resolvable {
  /** Of its AsyncValue in guest memory, once that is known. */
  offset: number
  /** The next of the same slot. */
  sameSlot: GuestCall | undefined
}

export class Unresolved {
  /** As many as a power of two. */
  private slots: Array<GuestCall | undefined> = new Array(16).fill(undefined)
  private size = 0

  get(offset: number): GuestCall | undefined {
    let call = this.slots[this.slotOf(offset)]
    while (call !== undefined && call.offset !== offset) call = call.sameSlot
    return call
  }

  /** No other call has this offset. */
  add(offset: number, call: GuestCall): void {
    if (this.size === this.slots.length) this.grow()
    call.offset = offset
    this.put(call)
    this.size++
  }

  /** The call is in this table. Who keeps one that has left keeps no others. */
  remove(call: GuestCall): void {
    const slot = this.slotOf(call.offset)
    let before: GuestCall | undefined
    for (let at = this.slots[slot]; at !== call; at = at!.sameSlot) before = at
    if (before === undefined) this.slots[slot] = call.sameSlot
    else before.sameSlot = call.sameSlot
    call.sameSlot = undefined
    this.size--
  }

  clear(): void {
    for (const call of this.calls()) call.sameSlot = undefined
    this.slots.fill(undefined)
    this.size = 0
  }

  private put(call: GuestCall): void {
    const slot = this.slotOf(call.offset)
    call.sameSlot = this.slots[slot]
    this.slots[slot] = call
  }

  private grow(): void {
    const calls = this.calls()
    this.slots = new Array(2 * this.slots.length).fill(undefined)
    for (const call of calls) this.put(call)
  }

  private calls(): ReadonlyArray<GuestCall> {
    const calls: Array<GuestCall> = []
    for (let call of this.slots) for (; call !== undefined; call = call.sameSlot) calls.push(call)
    return calls
  }

  /** Spread by the golden ratio: a guest aligns, and could choose them to share a slot. */
  private slotOf(offset: number): number {
    return (Math.imul(offset, 0x9e37_79b1) >>> 16) & (this.slots.length - 1)
  }
}
