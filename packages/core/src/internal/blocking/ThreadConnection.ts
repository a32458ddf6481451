/** Caller's side: the connection to one thread of a pool, while that thread lives. */
import { Connection, type Server } from "../../Connection.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Board, Place } from "../pool/Board.ts"
import type { BlockingCall } from "./BlockingCall.ts"
import type { Channel, Channels } from "./Channels.ts"
import { channelName, released } from "./Door.ts"

export class ThreadConnection implements Server {
  readonly awaitsMessage = false
  readonly place: Place
  readonly name: string
  readonly connection: Connection
  /** Once the thread is lost: the function that it began last. */
  lastRan: string | undefined
  private readonly channel: Channel
  private isOpen = true

  /** `onFault`: the thread sent what is no frame, or a message to it was lost. */
  constructor(
    contract: string,
    handle: string,
    place: Place,
    board: Board,
    channels: Channels,
    onFault: (detail: string) => void
  ) {
    this.place = place
    this.name = `${contract}#${place.slot}`
    this.channel = channels.join(channelName(handle, place))
    this.connection = new Connection(
      {
        ...this.channel,
        post: (message, transfer) => {
          this.channel.post(message, transfer)
          board.ring(place.slot)
        }
      },
      this,
      onFault
    )
  }

  /** Calls that are not answered. */
  get pending(): ReadonlyArray<BlockingCall> {
    return this.connection.pending as ReadonlyArray<BlockingCall>
  }

  /** Reads what has come. */
  read(): void {
    for (let message = this.channel.receive(); message !== undefined; message = this.channel.receive()) {
      this.connection.accept(message)
    }
  }

  /** The thread has ended, or it is not known any more what of it was lost. */
  lost(detail: string, lastRan: string | undefined): void {
    this.lastRan = lastRan
    this.close()
    this.connection.end({ exitCode: undefined, detail })
  }

  /** The caller does not want anything of the thread any more, and says so. */
  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.connection.signal(released)
    this.connection.flush()
    this.channel.close()
  }

  onCall(_call: unknown, reader: Reader): void {
    reader.malformed(reader.offset, "a pool's thread calls nobody")
  }

  onInterrupt(): void {}

  onAck(): void {}

  onSignal(_id: number, reader: Reader): void {
    reader.malformed(reader.offset, "a pool's thread has nothing to say to a caller")
  }
}
