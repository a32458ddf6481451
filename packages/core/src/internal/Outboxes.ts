/**
 * The frames of a connection on their way out, in the order in which they were begun.
 *
 * Who writes a frame may run code of the caller's, a getter of a payload for example, which begins frames of its own. They
 * go to another outbox, and follow the one that is being written.
 */
import type { CodecError } from "../CodecError.ts"
import type { Writer } from "./msgpack/MsgPackWriter.ts"
import { Outbox, type Sender } from "./Outbox.ts"

export class Outboxes {
  private readonly sender: Sender
  private readonly first: Outbox
  /** With what was begun while a frame is being written to `first`: they are sent after it, in this order. */
  private readonly following: Array<Outbox> = []

  constructor(sender: Sender) {
    this.sender = sender
    this.first = new Outbox(sender)
  }

  /** Begins a frame: the caller writes the rest of it at once. */
  begin(kind: number, id: number): Writer {
    return this.next.begin(kind, id)
  }

  /** Writes a frame, or nothing of it when its writer refuses or throws. */
  write<A>(
    kind: number,
    id: number,
    write: (writer: Writer, what: A) => CodecError | undefined,
    what: A
  ): CodecError | undefined {
    const outbox = this.next
    const mark = outbox.mark()
    const writer = outbox.beginAtMark(kind, id)
    let whole = false
    outbox.isWriting = true
    try {
      const refused = write(writer, what)
      whole = refused === undefined
      return refused
    } finally {
      outbox.isWriting = false
      if (!whole) outbox.rewind(mark)
      const isOutermost = outbox === this.first
      if (isOutermost && this.following.length > 0) this.flushFollowing()
      else if (isOutermost && outbox.isLent) outbox.flush()
    }
  }

  /** Sends what is there now. Within a writer of a frame it is sent with that frame. */
  flush(): void {
    if (!this.first.isWriting) this.first.flush()
  }

  /** Forgets what was not sent: it is its giver's still, and may be given to another. */
  clear(): void {
    if (!this.first.isWriting) this.first.rewind(0)
  }

  /** As `flush`, when a message was read: see `Outbox`. */
  flushRead(): void {
    if (!this.first.isWriting) this.first.flushRead()
  }

  /** Where the next frame goes. */
  private get next(): Outbox {
    return this.first.isWriting ? this.nextFollowing() : this.first
  }

  private nextFollowing(): Outbox {
    const last = this.following.at(-1)
    if (last?.isWriting === false) return last
    const next = new Outbox(this.sender, true)
    this.following.push(next)
    return next
  }

  private flushFollowing(): void {
    this.first.flush()
    for (const outbox of this.following.splice(0)) outbox.flush()
  }
}
