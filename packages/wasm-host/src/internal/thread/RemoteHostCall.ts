/**
 * Owner's side: a host function that a guest on another thread calls. It runs here, or on a host pool, in the context of
 * the fiber whose guest call made it. Its answer goes back once: through the wire, through the reply cell of a thread that
 * is blocked until then, or to nobody.
 */
import * as Connection from "@fiberhost/core/Connection"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import type { Member } from "@fiberhost/core/Line"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { HostExit } from "../host/HostAnswer.ts"
import * as HostAnswer from "../host/HostAnswer.ts"
import { RunningHostCall } from "../host/RunningHostCall.ts"
import type { Signature } from "../module/Signature.ts"
import * as GuestWire from "./GuestWire.ts"
import type { RemoteCall } from "./RemoteCall.ts"
import type { RemoteGuest, RemoteHost } from "./RemoteGuest.ts"

export class RemoteHostCall
  extends RunningHostCall<RemoteCall>
  implements HostFunction.Listener<unknown, unknown>, Member<RemoteHostCall>
{
  previous: RemoteHostCall | undefined = undefined
  next: RemoteHostCall | undefined = undefined
  readonly guest: RemoteGuest
  readonly id: number
  readonly flags: number
  private isAnswered = false
  private finish: RemoteHost["finish"] | undefined

  constructor(guest: RemoteGuest, { flags, id, index }: Connection.IncomingCall, owner: RemoteCall | undefined) {
    super(guest.signature.plugin, guest.signature.imports[index]!, owner, guest.context)
    this.guest = guest
    this.id = id
    this.flags = flags
    // Its caller had left when the guest called it, and the guest, which may be blocked by it, had not heard of that.
    if (owner?.isSettled === true) this.interrupt()
    guest.hostCalls.push(this)
    if (this.holdsThread) guest.thread.blockedBy = this
  }

  /** A thread that waits for it runs none of its guests. One without a result is waited for now and then. */
  protected get waits(): unknown {
    return this.guest.thread
  }

  /** Whether the thread waits for it now. */
  private get holdsThread(): boolean {
    return (this.flags & Connection.blockingFlag) !== 0 && !this.isAnswered
  }

  /** Runs the function, which has no answer yet. */
  run({ finish, implementation }: RemoteHost, effect: Effect.Effect<unknown, unknown>): void {
    this.finish = finish
    if (HostFunction.isExit(effect)) return this.exited(effect)
    const running = HostFunction.fork(effect, this.contextOf(implementation), this)
    const exit = running.pollUnsafe()
    if (exit !== undefined) return this.exited(exit)
    // It may have interrupted its own caller, or closed its guest, before it waited for something.
    this.begun(running)
  }

  exited(exit: Exit.Exit<unknown, unknown>): void {
    this.end(this.finish!(exit))
  }

  answerInterrupted(): boolean {
    if (this.isAnswered || this.hasEnded) return false
    if (this.holdsThread) this.guest.thread.released++
    this.answer(Exit.fail(HostCallError.interrupted(this.signature.name)))
    return true
  }

  private end(exit: HostExit): void {
    this.guest.hostCalls.remove(this)
    this.leave(exit)
    this.answer(exit)
    this.come()
  }

  /** Later answers are dropped. */
  private answer(exit: HostExit): void {
    if (this.isAnswered) return
    if (this.holdsThread) this.guest.thread.blockedBy = undefined
    this.isAnswered = true
    answer(this.guest, this, this.signature, exit, this)
  }
}

/** Owner to guest: how a host function ended. `runs` is what it ran in. */
export const answer = (
  guest: RemoteGuest,
  { flags, id }: Pick<Connection.IncomingCall, "flags" | "id">,
  signature: Signature,
  exit: HostExit,
  runs: Runs
): void => {
  const { connection, reply } = guest.thread
  const unanswered = (flags & GuestWire.unansweredFlag) !== 0
  if ((flags & Connection.blockingFlag) === 0 && !unanswered) {
    const refused = HostAnswer.write(signature, exit, new Reply(guest, id, runs))
    if (refused !== undefined) connection.fail(id, HostCallError.encode(refused))
    return
  }
  const { valueBytes } = guest.limits
  const onUnheard = (error: HostCallError.HostCallError) => log(error, runs)
  const answer = HostAnswer.bytesOf(signature, exit, { valueBytes, onUnheard })
  // The guest does not look at it, so nobody else would hear of it.
  if (unanswered && Result.isFailure(answer) && !wasStopped(answer.failure)) log(answer.failure, runs)
  if ((flags & Connection.blockingFlag) !== 0 && reply.answer(answer)) connection.woke()
}

/** What a host function ran in. */
interface Runs {
  readonly context: Context.Context<never>
}

/** The answer of an async one, which goes through the wire. */
class Reply implements HostAnswer.Recipient {
  private readonly guest: RemoteGuest
  private readonly id: number
  private readonly runs: Runs

  constructor(guest: RemoteGuest, id: number, runs: Runs) {
    this.guest = guest
    this.id = id
    this.runs = runs
  }

  get valueBytes(): number {
    return this.guest.limits.valueBytes
  }

  receive(bytes: Uint8Array, size: number, view?: DataView): void {
    this.guest.thread.connection.replyRange(this.id, bytes, 0, size, view)
  }

  onUnheard(error: HostCallError.HostCallError): void {
    log(error, this.runs)
  }
}

const log = (error: HostCallError.HostCallError, { context }: Runs): void => {
  Effect.runForkWith(context)(Effect.logError(error))
}

/** Whether nobody expected an answer any more. */
const wasStopped = ({ reason }: HostCallError.HostCallError): boolean =>
  reason._tag === "Interrupted" || reason._tag === "Closed"

/** A guest that is on the stack when it is closed goes on until it returns. */
export const closed = (name: string): Exit.Exit<never, HostCallError.HostCallError> =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Closed() }))
