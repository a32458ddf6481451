/**
 * One end of a connection, as what leaves there sees it: frames, collected in one buffer and sent together.
 *
 * They are sent when the turn ends in which they were begun, or before that when there are enough of them: through the ring
 * buffer where it has room, and otherwise as a message.
 */
import { textOf } from "../Foreign.ts"
import { Line, type Member } from "../Line.ts"
import type { RingBuffer } from "../RingBuffer.ts"
import * as Wire from "../Wire.ts"
import { afterTurn } from "./AfterTurn.ts"
import { Beside } from "./msgpack/Beside.ts"
import { longest } from "./msgpack/MsgPackFormat.ts"
import { Writer } from "./msgpack/MsgPackWriter.ts"

/** So many frames go to the ring before their turn ends, so that the other side works on them meanwhile. */
const ringFrames = 8

/**
 * Where there is no room in the ring, a batch of this many frames is posted before its turn ends; the next of the same
 * turn is twice as large. With 64 calls in flight 32 measured 1.5 times as fast as 64.
 */
const firstBatch = 32

/**
 * Up to so many frames are posted when the microtask ends, as what goes to the ring is: nobody waits longer than
 * needed. When there were more, the messages that have come meanwhile are read first, or batches would break into ever
 * smaller ones.
 */
const fewFrames = 4

/**
 * A batch of this many bytes, with the weight of what lies beside it, is posted at once: while more is copied the other
 * side would be idle, and megabytes that arrive at once make the engine collect garbage. What is received keeps its whole
 * message, so this bounds that too.
 */
const batchBytes = 64 * 1024

/** A message of up to this many bytes is a string, one character a byte: 0.5 us to post and read, where bytes take 1.4. */
const textBytes = 64

/** One of up to this many is copied: moving a buffer costs 1.3 us more than copying one of 24 bytes. */
const copiedBytes = 1024

/** Whose frames are sent. */
export interface Sender {
  readonly port: Wire.Port
  /** A message could not be posted, and its frames are lost. */
  readonly onFault: (detail: string) => void
  /** Told before anything of it can be read. */
  readonly onSend?: () => void
  /** The frames of a turn were sent, and no more are under way. */
  readonly onTurn: () => void
}

/** Collects frames, and writes them to the ring or posts them as one message. */
export class Outbox implements Member<Outbox> {
  previous: Outbox | undefined = undefined
  next: Outbox | undefined = undefined
  /** Whether its frames follow one that is being written to another outbox, and are not sent before that is. */
  readonly follows: boolean
  private readonly sender: Sender
  private readonly ring: RingBuffer | undefined
  private readonly writer = new Writer(longest, 4096)
  private frames = 0
  /** Frames since the last scheduled flush, also those that were sent before it. */
  private begun = 0
  private batchFrames = firstBatch
  private scheduled = false
  /** Whether the last batch was posted, and whether there were several frames the last time. */
  private posts = false
  private busy = false
  /** Whether a frame is begun whose writer has not come to its end. */
  isWriting = false
  private readonly flushScheduled = () => {
    this.scheduled = false
    unsent.remove(this)
    this.flush()
    this.busy = this.posts && this.begun > fewFrames
    this.begun = 0
    if (!this.busy) this.sender.onTurn()
  }

  constructor(sender: Sender, follows = false) {
    this.sender = sender
    this.follows = follows
    this.ring = sender.port.ringBuffers?.out
    this.writer.beside = this.emptyBeside()
  }

  private emptyBeside(): Beside {
    // What follows a frame that is not whole is posted after it: whose buffers it has may write to them before.
    return new Beside(this.sender.port.copies === true && !this.follows)
  }

  /**
   * Begins a frame: the caller writes the rest of it at once. One that cannot be completed is taken back with `rewind`.
   */
  begin(kind: number, id: number): Writer {
    this.makeRoom()
    return this.beginAtMark(kind, id)
  }

  /** As `begin`, where the mark is that was taken just now: makes no room, and the mark stays true. */
  beginAtMark(kind: number, id: number): Writer {
    if (!this.scheduled) {
      this.scheduled = true
      unsent.push(this)
      if (this.busy) afterTurn(this.flushScheduled)
      else queueMicrotask(this.flushScheduled)
    }
    this.frames++
    this.begun++
    this.writer.int(kind)
    this.writer.int(id)
    return this.writer
  }

  /** Makes room for a frame; where it can be rewound to. */
  mark(): number {
    this.makeRoom()
    return this.writer.size
  }

  /** Takes back what was written since the mark. */
  rewind(mark: number): void {
    this.writer.rewind(mark)
  }

  /** Whether what is there refers to buffers that their owners may write to soon. */
  get isLent(): boolean {
    return this.writer.beside!.isLent
  }

  private get isEmpty(): boolean {
    return this.writer.size === 0
  }

  /** A message was read: sends what the ring takes, or a batch that is full. What was told often asks for as much again. */
  flushRead(): void {
    if (this.frames >= this.batchFrames) this.flush()
    else this.writeToRing()
  }

  /** Sends what is there now. */
  flush(): void {
    this.batchFrames = firstBatch
    if (this.writeToRing()) return
    this.frames = 0
    if (this.isEmpty) return
    this.posts = true
    this.sender.onSend?.()
    const { list, transfer } = this.writer.beside!
    const head = this.head()
    const moved = head instanceof ArrayBuffer ? [head] : none
    if (list.length === 0) return this.post(head, moved)
    this.writer.beside = this.emptyBeside()
    this.post([head, ...list], [...moved, ...transfer])
  }

  /** Whether what is there has gone to the ring. */
  private writeToRing(): boolean {
    const { ring, writer } = this
    if (ring === undefined || this.isEmpty || writer.beside!.list.length > 0 || !ring.hasRoom(writer.size)) return false
    this.posts = false
    this.sender.onSend?.()
    ring.write(writer.bytes, writer.size)
    writer.reset()
    this.frames = 0
    if (ring.claimWake()) this.post(Wire.wake, none)
    return true
  }

  private head(): string | Uint8Array | ArrayBuffer {
    const { size } = this.writer
    if (size <= textBytes) return this.writer.takeText()
    return size <= copiedBytes ? this.writer.take() : this.writer.takeBuffer()
  }

  private post(message: unknown, transfer: ReadonlyArray<ArrayBuffer>): void {
    try {
      this.sender.port.post(message, transfer)
      if (message !== Wire.wake) this.ring?.posted()
    } catch (error) {
      this.sender.onFault(`a message cannot be posted: ${textOf(error)}`)
    }
  }

  private makeRoom(): void {
    if (this.follows) return
    if (this.frames >= ringFrames && this.writeToRing()) return
    const { beside, size } = this.writer
    if (this.frames < this.batchFrames && size + beside!.weight < batchBytes) return
    const larger = 2 * this.batchFrames
    this.flush()
    this.batchFrames = larger
  }
}

/** This thread's outboxes whose turn has not ended. */
const unsent = new Line<Outbox>()

/** Sends what this thread has to say to anybody: it is about to block. */
export const flushAll = (): void => {
  // One that begins a frame meanwhile joins the line.
  for (let outbox = unsent.first; outbox !== undefined; outbox = outbox.next) {
    if (!outbox.isWriting && !outbox.follows) outbox.flush()
  }
}

const none: ReadonlyArray<ArrayBuffer> = []
