/**
 * Owner's side: a host function that a guest on another thread calls. It runs here, or on a host pool, in the context of
 * the fiber whose guest call made it. Its answer goes back once: through the wire, through the reply cell of a thread that
 * is blocked until then, or to nobody.
 */
import * as Admission from "@fiberhost/core/Admission"
import * as Connection from "@fiberhost/core/Connection"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { Current, type RunningHostCall } from "../guest/Current.ts"
import { Ending } from "../guest/Ending.ts"
import { answerOf } from "../guest/HostAnswer.ts"
import type { Signature } from "../module/Signature.ts"
import * as GuestWire from "./GuestWire.ts"
import type { RemoteCall } from "./RemoteCall.ts"
import type { RemoteGuest } from "./RemoteGuest.ts"

export class RemoteHostCall implements RunningHostCall {
  readonly guest: RemoteGuest
  readonly signature: Signature
  readonly id: number
  readonly flags: number
  owner: RemoteCall | undefined
  readonly caller: Context.Context<never>
  readonly ending = new Ending()
  private stop: (() => void) | undefined
  private interrupted: boolean

  constructor(guest: RemoteGuest, { flags, id, index }: Connection.IncomingCall, owner: RemoteCall | undefined) {
    this.guest = guest
    this.signature = guest.signature.imports[index]!
    this.id = id
    this.flags = flags
    this.owner = owner?.isSettled === false ? owner : undefined
    // Its caller had left when the guest called it, and the guest, which may be blocked by it, had not heard of that.
    this.interrupted = owner?.isSettled === true
    this.caller = this.owner?.context ?? guest.context
    guest.hostCalls.add(this)
    this.owner?.hostCalls.add(this)
  }

  get plugin(): string {
    return this.guest.signature.plugin
  }

  /** A thread that waits for it runs none of its guests. One without a result is waited for now and then. */
  get blocks(): unknown {
    return this.signature.sync && !this.ending.hasCome ? this.guest.thread : undefined
  }

  /** Runs the function, and answers the guest. */
  run(bytes: HostFunction.Bytes, args: ReadonlyArray<Uint8Array>): void {
    // A guest that is on the stack when it is closed goes on until it returns.
    if (this.guest.dead !== undefined) return this.end(closed(this.signature.name))
    const effect = bytes(args)
    if (HostFunction.isExit(effect)) return this.end(effect)
    const fiber = Effect.runForkWith(this.context())(effect)
    this.stop = () => fiber.interruptUnsafe()
    // It may have interrupted its own caller, or closed its guest, before it waited for something.
    if (this.interrupted) this.stop()
    fiber.addObserver((exit) => this.end(exit))
  }

  interrupt(): void {
    this.interrupted = true
    this.stop?.()
  }

  private context(): Context.Context<never> {
    const context = Context.add(this.caller, Current, this)
    const permit = this.owner?.permit
    return permit === undefined ? context : Admission.provide(context, permit)
  }

  private end(exit: Exit.Exit<Uint8Array, HostCallError.HostCallError>): void {
    this.guest.hostCalls.delete(this)
    this.owner?.hostCalls.delete(this)
    this.answer(exit)
    this.stop = undefined
    this.ending.come()
  }

  private answer(exit: Exit.Exit<Uint8Array, HostCallError.HostCallError>): void {
    const { connection, reply } = this.guest.thread
    const answer = answerOf(this.signature, exit, () => this.context())
    const unanswered = (this.flags & GuestWire.unansweredFlag) !== 0
    // The guest does not look at it, so nobody else would hear of it.
    if (unanswered && Result.isFailure(answer) && !wasStopped(answer.failure)) {
      Effect.runForkWith(this.context())(Effect.logError(answer.failure))
    }
    if ((this.flags & Connection.blockingFlag) !== 0) return reply.answer(answer)
    if (unanswered) return
    if (Result.isSuccess(answer)) connection.reply(this.id, answer.success)
    else connection.fail(this.id, HostCallError.encode(answer.failure))
  }
}

/** Whether nobody expected an answer any more. */
const wasStopped = ({ reason }: HostCallError.HostCallError): boolean =>
  reason._tag === "Interrupted" || reason._tag === "Closed"

const closed = (name: string): Exit.Exit<never, HostCallError.HostCallError> =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Closed() }))
