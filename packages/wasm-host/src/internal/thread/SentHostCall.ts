/**
 * Worker side: a host function on its way to the owner and back. Its arguments go from guest memory to the wire, and it is answered
 * once.
 */
import type * as Codec from "@fiberhost/core/Codec"
import type * as Connection from "@fiberhost/core/Connection"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as Wire from "@fiberhost/core/Wire"
import * as Exit from "effect/Exit"
import type { Raws } from "../guest/GuestCodec.ts"
import * as HostArguments from "../host/HostArguments.ts"
import type { HostCall } from "../host/HostCall.ts"
import type { Interruptible } from "../host/RunningHostCall.ts"

export class SentHostCall implements Connection.OutgoingCall, Interruptible {
  readonly target: number
  readonly flags = 0
  private readonly connection: Connection.Connection
  private readonly hostCall: HostCall
  private readonly raws: Raws

  constructor(connection: Connection.Connection, target: number, hostCall: HostCall, raws: Raws) {
    this.connection = connection
    this.target = target
    this.hostCall = hostCall
    this.raws = raws
  }

  get index(): number {
    return this.hostCall.index
  }

  get caller(): number {
    return this.hostCall.owner?.id ?? 0
  }

  writeArguments(writer: Codec.Writer): undefined {
    const { guest, signature } = this.hostCall
    HostArguments.write(signature, this.raws, guest.memory, writer)
  }

  onReply(reader: Codec.Reader): void {
    this.hostCall.exited(Exit.succeed(Wire.readValue(reader)))
  }

  onFailure(reader: Codec.Reader): void {
    this.hostCall.exited(Exit.fail(HostCallError.decode(this.hostCall.signature.name, Wire.readValue(reader))))
  }

  onChunk(reader: Codec.Reader): void {
    reader.malformed(reader.offset, `"${this.hostCall.signature.name}" answers no stream`)
  }

  onLost(): void {
    const reason = new HostCallError.Closed()
    this.hostCall.exited(Exit.fail(new HostCallError.HostCallError({ function: this.hostCall.signature.name, reason })))
  }

  interruptUnsafe(): void {
    this.connection.interrupt(this.hostCall.id)
  }
}
