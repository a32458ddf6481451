/**
 * The AsyncValues of one guest: 12-byte cells in its memory by which async answers are known on both sides, and when
 * each may be freed.
 *
 * An export's is the guest's allocation and done with once the export has returned and is resolved. An import's may be
 * read by a future that is polled late, so it is freed by age: calls are numbered, a resolved import's AsyncValue is
 * stamped with the next number, and freed once every call with a lower number has settled in the guest. Waiting for "no
 * call in flight" would never free on a busy guest. A call that the guest never settles holds frees back: see `held`.
 */
import { Line, type Member } from "@fiberhost/core/Line"
import * as FatPtr from "./FatPtr.ts"
import type { GuestMemory } from "./GuestMemory.ts"

/** Bytes: three little-endian u32, status (0 pending, 1 ready), offset, length. */
const size = 12
const ready = 1

/** A call's place among the calls that the guest has not settled. */
export interface Age extends Member<Age> {
  readonly number: number
}

/** An import's AsyncValue that its guest may still read. */
interface Retired extends Member<Retired> {
  readonly asyncValue: bigint
  readonly stamp: number
}

export class AsyncValues {
  private readonly memory: GuestMemory
  private next = 1
  private readonly unsettled = new Line<Age>()
  /** Resolved imports, in the order of their stamps. */
  private readonly retired = new Line<Retired>()

  constructor(memory: GuestMemory) {
    this.memory = memory
  }

  /** Resolved AsyncValues of imports that wait for older calls to settle. */
  get held(): number {
    return this.retired.size
  }

  /** Numbers a call that enters the guest. */
  begin(): Age {
    const age: Age = { number: this.next++, previous: undefined, next: undefined }
    return this.unsettled.push(age)
  }

  /** The guest has settled the call, whether or not its caller still waits. Frees nothing by itself: see `sweep`. */
  settle(age: Age): void {
    this.unsettled.remove(age)
  }

  /** Whether an export's AsyncValue may lie at the offset. The allocator gives offset 0 when it has no memory. */
  mayBeAt(offset: number): boolean {
    return offset !== 0 && offset + size <= this.memory.byteLength
  }

  /** A pending AsyncValue for an import. */
  allocate(): bigint {
    return this.memory.writeWords(0, 0, 0)
  }

  /** An AsyncValue for an import that has its answer before it returns: the guest takes it at its first poll. */
  ready(answer: bigint): bigint {
    const asyncValue = this.memory.writeWords(ready, FatPtr.offsetOf(answer), FatPtr.lengthOf(answer))
    this.retire(asyncValue)
    return asyncValue
  }

  /** An import is resolved: its AsyncValue may go when the calls that are in the guest now have settled. */
  retire(asyncValue: bigint): void {
    this.retired.push({ asyncValue, stamp: this.next, previous: undefined, next: undefined })
  }

  /** Frees what no call can read any more. Called between entries. */
  sweep(): void {
    const { retired } = this
    if (retired.size === 0) return
    const age = this.unsettled.first?.number ?? this.next
    for (let first = retired.first; first !== undefined && first.stamp <= age; first = retired.first) {
      retired.remove(first)
      this.memory.release(first.asyncValue)
    }
  }
}
