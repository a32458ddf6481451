/**
 * The async calls that a guest has not resolved, also those whose callers have left, by the offset of their AsyncValue. It owns
 * nothing, and ends with its guest.
 *
 * A hash table chained through the calls themselves, and not a `Map`: what that would keep of those that have left is in docs/speed.md.
 */
import type { GuestCall } from "./GuestCall.ts"

export class Unresolved {
  /** A hash without its last `shift` bits is a slot. */
  private shift = 28
  private slots: Array<GuestCall | undefined> = new Array(2 ** (32 - this.shift)).fill(undefined)
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
    for (const call of this.members()) call.sameSlot = undefined
    this.slots.fill(undefined)
    this.size = 0
  }

  private put(call: GuestCall): void {
    const slot = this.slotOf(call.offset)
    call.sameSlot = this.slots[slot]
    this.slots[slot] = call
  }

  private grow(): void {
    const calls = this.members()
    this.shift--
    this.slots = new Array(2 * this.slots.length).fill(undefined)
    for (const call of calls) this.put(call)
  }

  private members(): ReadonlyArray<GuestCall> {
    const calls: Array<GuestCall> = []
    for (let call of this.slots) for (; call !== undefined; call = call.sameSlot) calls.push(call)
    return calls
  }

  /** Offsets are aligned: their product with the golden ratio is spread. A guest that chooses some of one slot slows its own calls. */
  private slotOf(offset: number): number {
    return Math.imul(offset, 0x9e37_79b1) >>> this.shift
  }
}
