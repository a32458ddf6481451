/**
 * What one call has used of its guest. Times in milliseconds, on a clock that all threads of the process share. It belongs
 * to the call, and is written by whoever enters the guest.
 */
export class Usage {
  entries = 0
  /** When the guest was first entered for it; 0 before. */
  begunAt = 0
  /** When the entry that is on the stack began; 0 when there is none. */
  enteredAt = 0
  /** Time on the stack, in entries that have returned. */
  inside = 0
  /** Time off the stack with host functions that had not ended, in stretches that are over. */
  inHost = 0
  /** When the stretch that goes on began; 0 when there is none. */
  hostSince = 0
  private hostCalls = 0
  /** When each of the first 1000 entries began and ended, where a `CallObserver` looks at it. */
  readonly spans: Array<EntrySpan> = []
  private readonly keepsSpans: boolean

  constructor(keepsSpans = false) {
    this.keepsSpans = keepsSpans
  }

  enter(): void {
    this.enteredAt = sharedNow()
    if (this.entries++ === 0) this.begunAt = this.enteredAt
    if (this.hostSince !== 0) this.endStretch(this.enteredAt)
  }

  /** A host function begins, on the guest's stack. */
  hostBegan(): void {
    this.hostCalls++
  }

  hostEnded(): void {
    if (--this.hostCalls === 0 && this.hostSince !== 0) this.endStretch(sharedNow())
  }

  /** The call has been answered: nobody looks at this any more. */
  release(): void {}

  /** Returns how long the entry took. */
  leave(): number {
    const now = sharedNow()
    const took = now - this.enteredAt
    if (this.keepsSpans && this.spans.length < maxSpans) this.spans.push([this.enteredAt, now])
    this.enteredAt = 0
    this.inside += took
    if (this.hostCalls > 0) this.hostSince = now
    return took
  }

  private endStretch(now: number): void {
    this.inHost += now - this.hostSince
    this.hostSince = 0
  }
}

export type EntrySpan = readonly [began: number, ended: number]

/** A call may have any number of entries. */
const maxSpans = 1000

export const sharedNow = (): number => performance.timeOrigin + performance.now()
