/**
 * Owner's side: a host function that a guest on another thread calls. It runs here, or on a host pool, in the context of
 * the fiber whose guest call made it. Its answer goes back once: through the wire, through the reply cell of a thread that
 * is blocked until then, or to nobody.
 */
import * as Connection from "@fiberhost/core/Connection"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as HostAnswer from "../guest/HostAnswer.ts"
import { RunningHostCall } from "../guest/RunningHostCall.ts"
import * as GuestWire from "./GuestWire.ts"
import type { RemoteCall } from "./RemoteCall.ts"
import type { RemoteGuest } from "./RemoteGuest.ts"

export class RemoteHostCall extends RunningHostCall<RemoteCall> {
  readonly guest: RemoteGuest
  readonly id: number
  readonly flags: number
  private isAnswered = false

  constructor(guest: RemoteGuest, { flags, id, index }: Connection.IncomingCall, owner: RemoteCall | undefined) {
    super(guest.signature.plugin, guest.signature.imports[index]!, owner, guest.context)
    this.guest = guest
    this.id = id
    this.flags = flags
    // Its caller had left when the guest called it, and the guest, which may be blocked by it, had not heard of that.
    if (owner?.isSettled === true) this.interrupt()
    guest.hostCalls.add(this)
  }

  /** A thread that waits for it runs none of its guests. One without a result is waited for now and then. */
  protected get waits(): unknown {
    return this.guest.thread
  }

  /** Whether the thread waits for it now. */
  get holdsThread(): boolean {
    return (this.flags & Connection.blockingFlag) !== 0 && !this.isAnswered
  }

  /** Runs the function, and answers the guest. */
  run(implementation: HostFunction.Implementation, args: ReadonlyArray<Uint8Array>): void {
    // A guest that is on the stack when it is closed goes on until it returns.
    if (this.guest.dead !== undefined) return this.end(closed(this.signature.name))
    const effect = implementation.bytes(args)
    if (HostFunction.isExit(effect)) return this.end(effect)
    const running = HostFunction.fork(effect, this.contextOf(implementation), (exit) => this.end(exit))
    if (Exit.isExit(running)) return this.end(running)
    // It may have interrupted its own caller, or closed its guest, before it waited for something.
    this.begun(running)
  }

  answerInterrupted(): boolean {
    if (this.isAnswered || this.hasEnded) return false
    this.answer(Exit.fail(HostCallError.interrupted(this.signature.name)))
    return true
  }

  private end(exit: Exit.Exit<Uint8Array, HostCallError.HostCallError>): void {
    this.guest.hostCalls.delete(this)
    this.leave(exit)
    this.answer(exit)
    this.come()
  }

  /** Later answers are dropped. */
  private answer(exit: Exit.Exit<Uint8Array, HostCallError.HostCallError>): void {
    if (this.isAnswered) return
    this.isAnswered = true
    const { connection, reply } = this.guest.thread
    const answer = HostAnswer.bytesOf(this.signature, exit, this.guest.limits.valueBytes, (error) => this.log(error))
    const unanswered = (this.flags & GuestWire.unansweredFlag) !== 0
    // The guest does not look at it, so nobody else would hear of it.
    if (unanswered && Result.isFailure(answer) && !wasStopped(answer.failure)) {
      this.log(answer.failure)
    }
    if ((this.flags & Connection.blockingFlag) !== 0) return reply.answer(answer)
    if (unanswered) return
    if (Result.isSuccess(answer)) connection.reply(this.id, answer.success)
    else connection.fail(this.id, HostCallError.encode(answer.failure))
  }

  private log(error: HostCallError.HostCallError): void {
    Effect.runForkWith(this.context)(Effect.logError(error))
  }
}

/** Whether nobody expected an answer any more. */
const wasStopped = ({ reason }: HostCallError.HostCallError): boolean =>
  reason._tag === "Interrupted" || reason._tag === "Closed"

const closed = (name: string): Exit.Exit<never, HostCallError.HostCallError> =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Closed() }))
