/**
 * Worker side: the elements of one streamed answer, on their way to its reader. So many may be under way and not taken;
 * then the stream is suspended until the reader acknowledges some.
 */
import * as Effect from "effect/Effect"
import type { Connection } from "../../Connection.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"

/** Elements that one stream may have on their way: as many as an executor's stream keeps for its reader. */
const window = 16

export class ElementSender {
  private readonly connection: Connection
  private readonly id: number
  private readonly codec: FunctionCodec
  private underWay = 0
  private wake: (() => void) | undefined

  constructor(connection: Connection, id: number, codec: FunctionCodec) {
    this.connection = connection
    this.id = id
    this.codec = codec
  }

  /** Sends the elements, in portions as the reader takes them. Fails when one is not of the contract's type. */
  readonly send = (elements: ReadonlyArray<unknown>): Effect.Effect<void, HostCallError.HostCallError> =>
    Effect.gen({ self: this }, function* () {
      for (let sent = 0; sent < elements.length; ) {
        if (this.underWay >= window) yield* this.room
        const portion = elements.slice(sent, sent + window - this.underWay)
        sent += portion.length
        this.underWay += portion.length
        const writes = portion.map((element) => (writer: Writer) => this.codec.writeElement(element, writer))
        const refused = this.connection.chunkWith(this.id, writes)
        if (refused !== undefined) return yield* Effect.fail(HostCallError.answerRefused(this.codec.name, refused))
      }
    })

  /** The reader has taken so many. */
  acknowledged(count: number): void {
    this.underWay -= count
    this.wake?.()
  }

  private readonly room = Effect.callback<void>((resume) => {
    this.wake = () => {
      this.wake = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.wake = undefined
    })
  })
}
