/**
 * What lies beside the bytes of a message, in a list that `postMessage` carries with them: large byte strings, buffers
 * that are moved, and what only the structured clone can carry. What belongs to bytes that are taken back goes with them.
 */
import { type CodecFailure, doesNotFit } from "../../CodecError.ts"

interface Laid {
  /** Where in the bytes it is named. */
  readonly at: number
  readonly list: number
  readonly transfer: number
  readonly weight: number
}

/** A buffer of the list that is its giver's still: until `settle` where it moves, and until it is posted where it is lent. */
interface Promised {
  readonly at: number
  readonly index: number
  readonly buffer: ArrayBuffer
  readonly byteLength: number
  /** Whether the receiver gets the buffer itself, and not a copy. */
  readonly moves: boolean
  /** The argument that the buffer is of, for the error. */
  name: string | undefined
}

export class Beside {
  readonly list: Array<unknown> = []
  /** The buffers of `list` that the receiver gets instead of a copy: the transfer list of `postMessage`. */
  readonly transfer: Array<ArrayBuffer> = []
  /** Bytes of its buffers, those of one that was moved and not copied by the 32nd part: nobody touches them. */
  weight = 0
  /** Buffers so far that their givers have no more, also of messages' parts that were taken back. */
  moves = 0
  /** Whether a buffer of `list` is its owner's still, who may write to it soon: the message is posted when its frame is whole. */
  isLent = false
  /** Whether what is sent is copied when it is posted, so that large byte strings need not be copied before. */
  readonly isCopied: boolean
  private readonly laid: Array<Laid> = []
  private promised: Array<Promised> = []

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

  /** Appends a buffer that its owner keeps, as it is when it is posted. */
  lend(buffer: ArrayBuffer, at: number): number {
    this.isLent = true
    return this.promise(buffer, at, false)
  }

  /** Promises a buffer to the receiver, once, and returns its index. It is moved by `settle`. */
  move(buffer: ArrayBuffer, at: number): number {
    const promised = this.promised.find((other) => other.moves && other.buffer === buffer)
    return promised === undefined ? this.promise(buffer, at, true) : promised.index
  }

  /** Says of buffers that are promised whose they are, where nobody has said it yet. */
  namePromised(name: string): void {
    for (const promise of this.promised) promise.name ??= name
  }

  /**
   * What was promised is posted next: buffers that move are moved, and of those that are promised several times the others are
   * copied, so that the receiver gets one for each. Fails when one is not what it was when it was promised, and nothing is lost,
   * or when one cannot be moved: those before it are lost then.
   */
  settle(): void {
    if (this.promised.length === 0) return
    const { promised } = this
    this.promised = []
    const taken = new Set<ArrayBuffer>()
    for (const promise of promised) {
      if (promise.buffer.byteLength < promise.byteLength) throw unsettled(promise, changed)
      if (promise.moves) taken.add(promise.buffer)
    }
    // Before any is moved: of one that is promised both ways nothing would be left to copy.
    for (const { buffer, index, moves } of promised) {
      if (moves) continue
      if (taken.has(buffer)) this.list[index] = buffer.slice(0)
      else taken.add(buffer)
    }
    for (const promise of promised) if (promise.moves) this.transfer.push(this.moved(promise))
  }

  /** Forgets what is named in the bytes from `mark` on. */
  takeBack(mark: number): void {
    const { laid, list, promised, transfer } = this
    while (promised.length > 0 && promised[promised.length - 1]!.at >= mark) promised.pop()
    while (laid.length > 0 && laid[laid.length - 1]!.at >= mark) {
      const before = laid.pop()!
      this.weight -= before.weight
      list.length = before.list
      transfer.length = before.transfer
    }
  }

  private promise(buffer: ArrayBuffer, at: number, moves: boolean): number {
    const index = this.lay(buffer, false, at)
    this.promised.push({ at, index, buffer, byteLength: buffer.byteLength, moves, name: undefined })
    return index
  }

  private moved(promise: Promised): ArrayBuffer {
    try {
      const moved = promise.buffer.transfer()
      this.moves++
      this.list[promise.index] = moved
      return moved
    } catch {
      throw unsettled(promise, immovable)
    }
  }
}

const immovable = "Expected a Uint8Array whose buffer can be moved; send a copy of this one"
const changed = "Expected a Uint8Array whose buffer is not moved or resized while the rest is read"

const unsettled = ({ name }: Promised, message: string): CodecFailure => {
  const failure = doesNotFit(message)
  return name === undefined ? failure : failure.at(name)
}
