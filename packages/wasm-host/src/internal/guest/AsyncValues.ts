/**
 * The AsyncValues of one guest: 12-byte cells in its memory by which async answers are known on both sides, and when
 * each may be freed.
 *
 * An export's is the guest's allocation and done with once the export has returned and is resolved. An import's may be
 * read by a future that is polled late, so it is freed by age: calls are numbered, a resolved import's AsyncValue is
 * stamped with the next number, and freed once every call with a lower number has settled in the guest. Waiting for "no
 * call in flight" would never free on a busy guest. A call that the guest never settles holds frees back: see `held`.
 */
import * as FatPtr from "./FatPtr.ts"
import type { GuestMemory } from "./GuestMemory.ts"

/** Bytes: three little-endian u32, status (0 pending, 1 ready), offset, length. */
const size = 12
const ready = 1

/** A call's place among the calls that the guest has not settled. */
export interface Age {
  readonly number: number
  older: Age | undefined
  younger: Age | undefined
}

export class AsyncValues {
  private readonly memory: GuestMemory
  private next = 1
  private oldest: Age | undefined
  private youngest: Age | undefined
  /** Resolved imports, in the order of their stamps; those before `freed` are gone. */
  private retired: Array<{ readonly asyncValue: bigint; readonly stamp: number }> = []
  private freed = 0

  constructor(memory: GuestMemory) {
    this.memory = memory
  }

  /** Resolved AsyncValues of imports that wait for older calls to settle. */
  get held(): number {
    return this.retired.length - this.freed
  }

  /** Numbers a call that enters the guest. */
  begin(): Age {
    const age: Age = { number: this.next++, older: this.youngest, younger: undefined }
    if (this.youngest === undefined) this.oldest = age
    else this.youngest.younger = age
    this.youngest = age
    return age
  }

  /** The guest has settled the call, whether or not its caller still waits. Frees nothing by itself: see `sweep`. */
  settle(age: Age): void {
    if (age.older === undefined) this.oldest = age.younger
    else age.older.younger = age.younger
    if (age.younger === undefined) this.youngest = age.older
    else age.younger.older = age.older
  }

  /** Whether an export's AsyncValue may lie at the offset. The allocator gives offset 0 when it has no memory. */
  mayBeAt(offset: number): boolean {
    return offset !== 0 && offset + size <= this.memory.byteLength
  }

  /** A pending AsyncValue for an import. */
  allocate(): bigint {
    return this.memory.writeWords(0, 0, 0)
  }

  /** Fills in an answer that is there before the import returns: the guest takes it at its first poll. */
  fill(asyncValue: bigint, answer: bigint): void {
    const offset = FatPtr.offsetOf(asyncValue)
    this.memory.setWords(offset, ready, FatPtr.offsetOf(answer), FatPtr.lengthOf(answer))
  }

  /** An import is resolved: its AsyncValue may go when the calls that are in the guest now have settled. */
  retire(asyncValue: bigint): void {
    this.retired.push({ asyncValue, stamp: this.next })
  }

  /** Frees what no call can read any more. Called between entries. */
  sweep(): void {
    const age = this.oldest?.number ?? this.next
    while (this.freed < this.retired.length && this.retired[this.freed]!.stamp <= age) {
      this.memory.release(this.retired[this.freed++]!.asyncValue)
    }
    if (this.freed === this.retired.length) this.retired.length = 0
    else if (this.freed > 1024) this.retired = this.retired.slice(this.freed)
    else return
    this.freed = 0
  }
}
