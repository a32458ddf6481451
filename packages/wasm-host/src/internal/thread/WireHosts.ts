/**
 * Worker side: the host functions of a thread's guests, which are calls to its owner: what `InThreadHost` is in the application's
 * thread. An async one is answered through the wire; a sync one blocks this thread until its answer is in the reply cell. One
 * without a result is not waited for, but every so often, so that a guest which only logs does not fill the owner's memory.
 */
import * as Connection from "@fiberhost/core/Connection"
import * as Wire from "@fiberhost/core/Wire"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as GuestCall from "../guest/GuestCall.ts"
import type { Raws } from "../guest/GuestCodec.ts"
import type { HostExit } from "../host/HostAnswer.ts"
import * as HostArguments from "../host/HostArguments.ts"
import { type Host, type HostCall, Unbegun } from "../host/HostCall.ts"
import type { Signature } from "../module/Signature.ts"
import * as GuestWire from "./GuestWire.ts"
import type { ReplyCell } from "./ReplyCell.ts"
import { SentHostCall } from "./SentHostCall.ts"
import { nilAnswer } from "./WireCaller.ts"

export class WireHosts {
  private readonly connection: Connection.Connection
  private readonly reply: ReplyCell
  /** What has been asked of host functions without a result since one was waited for. */
  private unanswered = { calls: 0, bytes: 0 }

  constructor(connection: Connection.Connection, reply: ReplyCell) {
    this.connection = connection
    this.reply = reply
  }

  /** Guest to host: a host function, which the owner runs. */
  of(target: number, { name, result, sync, arguments: kinds }: Signature, index: number): Host {
    if (!sync) {
      const sending = new Sending(this.connection, target)
      return (guest, signature, raws) => {
        const refused = HostArguments.refusal(signature, raws, guest.memory)
        return refused === undefined ? sending : Exit.fail(refused)
      }
    }

    const ask = (args: ReadonlyArray<Uint8Array>, owner: GuestCall.GuestCall | undefined, flags: number) =>
      this.connection.post({
        ...noListener,
        target,
        index,
        caller: owner?.id ?? 0,
        flags,
        writeArguments: (writer) => {
          for (let i = 0; i < kinds.length; i++) Wire.writeValue(writer, args[i]!)
          return undefined
        }
      })
    const wait = () => {
      this.connection.flush()
      return this.reply.wait(name, this.connection.hasWoken())
    }
    const given =
      (run: (args: ReadonlyArray<Uint8Array>, owner: GuestCall.GuestCall | undefined) => HostExit): Host =>
      (guest, signature, raws) => {
        const args = HostArguments.take(signature, raws, guest.memory)
        return Result.isFailure(args) ? Exit.fail(args.failure) : run(args.success, guest.owner)
      }
    if (result === "void") {
      return given((args, owner) => {
        if (this.mayGoOn(args)) {
          ask(args, owner, GuestWire.unansweredFlag)
          // The guest may not return, and what it logged would end with its thread.
          this.connection.flush()
        } else {
          ask(args, owner, GuestWire.unansweredFlag | Connection.blockingFlag)
          // That it failed is the owner's affair, as it is when nobody waits.
          wait()
        }
        return nilAnswer
      })
    }
    return given((args, owner) => {
      ask(args, owner, Connection.blockingFlag)
      const answer = wait()
      return Result.isSuccess(answer) ? Exit.succeed(answer.success) : Exit.fail(answer.failure)
    })
  }

  /** Whether one more host function without a result may be called without waiting for it. */
  private mayGoOn(args: ReadonlyArray<Uint8Array>): boolean {
    this.unanswered.calls++
    for (const arg of args) this.unanswered.bytes += arg.byteLength
    if (this.unanswered.calls < unansweredCalls && this.unanswered.bytes < unansweredBytes) return true
    this.unanswered = { calls: 0, bytes: 0 }
    return false
  }
}

/** An async host function, which is sent to the owner. */
class Sending extends Unbegun {
  private readonly connection: Connection.Connection
  private readonly target: number

  constructor(connection: Connection.Connection, target: number) {
    super()
    this.connection = connection
    this.target = target
  }

  begin(hostCall: HostCall, raws: Raws): undefined {
    const sent = new SentHostCall(this.connection, this.target, hostCall, raws)
    // Arguments that are bytes are never refused.
    hostCall.id = this.connection.call(sent) as number
    // Before the guest is entered, which may be its end.
    hostCall.begun(sent)
    HostArguments.drop(hostCall.signature, raws, hostCall.guest.memory)
  }
}

/** What is never told of a call whose answer comes through the reply cell, or not at all. */
const noListener = { onReply: () => {}, onFailure: () => {}, onChunk: () => {}, onLost: () => {} }

/** What this thread's guests may ask of host functions without a result before one is waited for. */
const unansweredCalls = 256
const unansweredBytes = 1024 * 1024
