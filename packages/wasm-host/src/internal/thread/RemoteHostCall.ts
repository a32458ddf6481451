/**
 * Owner's side: a host function that a guest on another thread calls. It runs here, or on a host pool, in the context of
 * the fiber whose guest call made it. Its answer goes back once: through the wire, through the reply cell of a thread that
 * is blocked until then, or to nobody.
 */
import * as Connection from "@fiberhost/core/Connection"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { HostExit } from "../guest/HostAnswer.ts"
import * as HostAnswer from "../guest/HostAnswer.ts"
import { RunningHostCall } from "../guest/RunningHostCall.ts"
import type { Signature } from "../module/Signature.ts"
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

  /** Runs the function, which has no answer yet; `finish` says what is answered when it has. */
  run<A, E>(
    implementation: HostFunction.Implementation,
    effect: Effect.Effect<A, E>,
    finish: (exit: Exit.Exit<A, E>) => HostExit
  ): void {
    const running = HostFunction.isExit(effect)
      ? effect
      : HostFunction.fork(effect, this.contextOf(implementation), (exit) => this.end(finish(exit)))
    if (Exit.isExit(running)) return this.end(finish(running))
    // It may have interrupted its own caller, or closed its guest, before it waited for something.
    this.begun(running)
  }

  answerInterrupted(): boolean {
    if (this.isAnswered || this.hasEnded) return false
    if (this.holdsThread) this.guest.thread.released++
    this.answer(Exit.fail(HostCallError.interrupted(this.signature.name)))
    return true
  }

  private end(exit: HostExit): void {
    this.guest.hostCalls.delete(this)
    this.leave(exit)
    this.answer(exit)
    this.come()
  }

  /** Later answers are dropped. */
  private answer(exit: HostExit): void {
    if (this.isAnswered) return
    this.isAnswered = true
    answer(this.guest, this, this.signature, exit, this)
  }
}

/** Owner to guest: how a host function ended. `runs` is what it ran in. */
export const answer = (
  { limits, thread: { connection, reply } }: RemoteGuest,
  { flags, id }: Pick<Connection.IncomingCall, "flags" | "id">,
  signature: Signature,
  exit: HostExit,
  runs: { readonly context: Context.Context<never> }
): void => {
  const log: HostAnswer.Unheard = (error) => void Effect.runForkWith(runs.context)(Effect.logError(error))
  const unanswered = (flags & GuestWire.unansweredFlag) !== 0
  if ((flags & Connection.blockingFlag) === 0 && !unanswered) {
    const replied = HostAnswer.write(signature, exit, limits.valueBytes, log, (bytes, size) =>
      connection.replyRange(id, bytes, 0, size)
    )
    if (Result.isFailure(replied)) connection.fail(id, HostCallError.encode(replied.failure))
    return
  }
  const answer = HostAnswer.bytesOf(signature, exit, limits.valueBytes, log)
  // The guest does not look at it, so nobody else would hear of it.
  if (unanswered && Result.isFailure(answer) && !wasStopped(answer.failure)) log(answer.failure)
  if ((flags & Connection.blockingFlag) !== 0) reply.answer(answer)
}

/** Whether nobody expected an answer any more. */
const wasStopped = ({ reason }: HostCallError.HostCallError): boolean =>
  reason._tag === "Interrupted" || reason._tag === "Closed"

/** A guest that is on the stack when it is closed goes on until it returns. */
export const closed = (name: string): Exit.Exit<never, HostCallError.HostCallError> =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Closed() }))
