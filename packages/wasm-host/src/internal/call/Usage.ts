/** What one call has used of its guest. Times in milliseconds, on a clock that all threads of the process share. */
export class Usage {
  entries = 0
  /** When the guest was first entered for it; 0 before. */
  begunAt = 0
  /** When the entry that is on the stack began; 0 when there is none. */
  enteredAt = 0
  /** Time on the stack, in entries that have returned. */
  inside = 0

  enter(): void {
    this.enteredAt = time()
    if (this.entries++ === 0) this.begunAt = this.enteredAt
  }

  /** The call has been answered: nobody looks at this any more. */
  release(): void {}

  /** Returns how long the entry took. */
  leave(): number {
    const took = time() - this.enteredAt
    this.enteredAt = 0
    this.inside += took
    return took
  }
}

export const time = (): number => performance.timeOrigin + performance.now()
