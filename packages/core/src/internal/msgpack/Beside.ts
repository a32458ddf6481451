/**
 * What lies beside the bytes of a message, in a list that `postMessage` carries with them: large byte strings, buffers
 * that are moved, and what only the structured clone can carry. What belongs to bytes that are taken back goes with them.
 */
import { doesNotFit } from "../../CodecError.ts"

interface Laid {
  /** Where in the bytes it is named. */
  readonly at: number
  readonly list: number
  readonly transfer: number
  readonly weight: number
}

/** A buffer that is promised to the receiver. */
interface Move {
  readonly at: number
  readonly index: number
  readonly buffer: ArrayBuffer
  /** The argument that the buffer is of, for the error. */
  name: string | undefined
}

export class Beside {
  readonly list: Array<unknown> = []
  /** The buffers of `list` that the receiver gets instead of a copy: the transfer list of `postMessage`. */
  readonly transfer: Array<ArrayBuffer> = []
  /** Bytes of its buffers, those of one that was moved and not copied by the 32nd part: nobody touches them. */
  weight = 0
  /** Whether a buffer of `list` is still its owner's, who may write to it soon: the message must be posted at once. */
  isLent = false
  /** Whether what is sent is copied when it is posted, so that large byte strings need not be copied before. */
  readonly isCopied: boolean
  private readonly laid: Array<Laid> = []
  private moves: Array<Move> = []

  constructor(isCopied = false) {
    this.isCopied = isCopied
  }

  /** Appends a value that is named at `at` in the bytes, and returns its index. A buffer that `moves` is transferred. */
  lay(value: unknown, moves: boolean, at: number): number {
    const { list, transfer } = this
    const bytes = value instanceof ArrayBuffer ? value.byteLength : 0
    const weight = moves ? bytes : bytes / 32
    this.weight += weight
    this.laid.push({ at, list: list.length, transfer: transfer.length, weight })
    if (moves) transfer.push(value as ArrayBuffer)
    return list.push(value) - 1
  }

  /** Appends a buffer that its owner keeps. */
  lend(buffer: ArrayBuffer, at: number): number {
    this.isLent = true
    return this.lay(buffer, false, at)
  }

  /** Promises a buffer to the receiver, once, and returns its index. It is moved by `settle`. */
  move(buffer: ArrayBuffer, at: number): number {
    const promised = this.moves.find((other) => other.buffer === buffer)
    if (promised !== undefined) return promised.index
    const index = this.lay(buffer, false, at)
    this.moves.push({ at, index, buffer, name: undefined })
    return index
  }

  /** Says of buffers that are to be moved whose they are, where nobody has said it yet. */
  nameMoves(name: string): void {
    for (const move of this.moves) move.name ??= name
  }

  /** Moves the buffers that were promised to the receiver. Fails when one cannot be moved; those before it are lost then. */
  settle(): void {
    if (this.moves.length === 0) return
    const moves = this.moves
    this.moves = []
    for (const { buffer, index, name } of moves) {
      try {
        const moved = buffer.transfer()
        this.list[index] = moved
        this.transfer.push(moved)
      } catch {
        const failure = doesNotFit("Expected a Uint8Array whose buffer can be moved; send a copy of this one")
        throw name === undefined ? failure : failure.at(name)
      }
    }
  }

  /** Forgets what is named in the bytes from `mark` on. */
  takeBack(mark: number): void {
    const { laid, list, moves, transfer } = this
    while (moves.length > 0 && moves[moves.length - 1]!.at >= mark) moves.pop()
    while (laid.length > 0 && laid[laid.length - 1]!.at >= mark) {
      const before = laid.pop()!
      this.weight -= before.weight
      list.length = before.list
      transfer.length = before.transfer
    }
  }
}
