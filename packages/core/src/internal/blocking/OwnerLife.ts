/**
 * Caller's side: whether the thread that owns a pool still lives. When it ends its threads end with it, and nobody is left to
 * say so: but its watcher, which never blocks, makes signs of life on the board.
 */
import type { Board } from "../pool/Board.ts"

/** How long one waits at most before one looks again, in milliseconds. */
export const pulse = 250

/** How long the watcher must be silent, while it is looked for, before the owner is taken for gone: it signs ten times as often. */
const silence = 5000

export class OwnerLife {
  private readonly board: Board
  private count = 0
  private looked = 0
  /** How long the count has not changed while it was looked for. */
  private silent = 0

  constructor(board: Board) {
    this.board = board
  }

  get isOver(): boolean {
    const { beats } = this.board
    const now = performance.now()
    const elapsed = now - this.looked
    // Nobody looked for a while, as when the whole process was suspended: that time says nothing.
    const isKnown = beats !== 0 && beats === this.count && elapsed <= 3 * pulse
    this.silent = isKnown ? this.silent + elapsed : 0
    this.count = beats
    this.looked = now
    return this.silent > silence
  }
}
