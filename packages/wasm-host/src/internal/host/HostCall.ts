/**
 * A call of a host function by a guest.
 *
 * It starts inside the import; what completes later waits for its turn on the guest's stack. It ends when it is answered,
 * which is soon after its call is interrupted, and when its guest ends.
 */
import * as HostCallError from "@fiberhost/core/HostCallError"
import type { Member } from "@fiberhost/core/Line"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Guest } from "../guest/Guest.ts"
import type * as GuestCall from "../guest/GuestCall.ts"
import type { Raws } from "../guest/GuestCodec.ts"
import type * as Signature from "../module/Signature.ts"
import { AnswerToGuest, unwind } from "./AnswerToGuest.ts"
import type { HostExit } from "./HostAnswer.ts"
import * as HostAnswer from "./HostAnswer.ts"
import * as HostArguments from "./HostArguments.ts"
import { RunningHostCall } from "./RunningHostCall.ts"

/** Takes a host function's arguments out of guest memory, on the guest's stack. Its exit if it has one at once. */
export type Host = (guest: Guest, signature: Signature.Signature, raws: Raws) => HostExit | Unbegun

/** A host function that has no exit yet, and has not begun. What waits is objects, not closures: they take half the memory. */
export abstract class Unbegun {
  /**
   * Begins it for `hostCall`; `raws` have not been taken. Its exit if it has one by then. Otherwise the host call is told that
   * it has begun and, once, off the guest's stack, that it has ended.
   */
  abstract begin(hostCall: HostCall, raws: Raws): HostExit | undefined
}

export class HostCall extends RunningHostCall<GuestCall.GuestCall> implements Member<HostCall> {
  previous: HostCall | undefined = undefined
  next: HostCall | undefined = undefined
  readonly guest: Guest
  readonly index: number
  /** The call that its guest asked for it for, when the caller of that had left by then. */
  readonly leftCall: GuestCall.GuestCall | undefined
  /** What the wire knows it by, where its function runs on another thread; otherwise 0. */
  id = 0
  /** What its guest waits for, once the function has begun and has no answer. */
  asyncValue = 0n
  private isAnswered = false

  constructor(guest: Guest, index: number) {
    super(guest.signature.plugin, guest.signature.imports[index]!, guest.current, guest.context)
    this.guest = guest
    this.index = index
    this.leftCall = guest.leftCall
    guest.hostCalls.push(this)
    this.owner?.usage?.hostBegan()
  }

  protected get waits(): unknown {
    return this.guest
  }

  /** The function, which took its time, has ended. */
  exited(exit: HostExit): void {
    this.end(exit)
    this.answer(exit)
    // Whoever keeps the function's context keeps the call no longer.
    this.owner = undefined
  }

  /** The answer of an async function that took its time. Later ones are dropped. */
  private answer(exit: HostExit): void {
    if (this.isAnswered || this.signature.sync) return
    this.isAnswered = true
    complete(this, exit)
  }

  answerInterrupted(): boolean {
    // A sync one was answered on the guest's stack.
    if (this.isAnswered || this.signature.sync || this.hasEnded) return false
    this.answer(Exit.fail(HostCallError.interrupted(this.signature.name)))
    return true
  }

  end(exit: HostExit): void {
    this.guest.hostCalls.remove(this)
    this.leave(exit)
    this.owner?.usage?.hostEnded()
    if (this.guest.dead !== undefined) this.guest.changed?.(this.guest)
    this.come()
  }
}

/**
 * The host call, step by step: arguments out of guest memory, the function, and its answer: at once for a sync function, at
 * once or through `complete` for an async one. Called by the guest, so what it throws unwinds the guest.
 */
export const run = (guest: Guest, index: number, raws: Raws): number | bigint | undefined => {
  // The host's own code may close the guest: a transformation before it was entered, a handler or its arguments here.
  if (guest.dead !== undefined) throw unwind(guest, guest.dead)
  const signature = guest.signature.imports[index]!
  const begun = overLimit(guest, signature, raws) ?? guest.hosts[index]!(guest, signature, raws)
  if (guest.dead !== undefined) throw unwind(guest, guest.dead)
  const { owner } = guest
  let hostCall: HostCall | undefined
  let exit: HostExit | undefined
  guest.used.hostCalls++
  if (!(begun instanceof Unbegun) && owner?.observer === undefined) {
    exit = begun
  } else {
    hostCall = new HostCall(guest, index)
    // The caller may have left while it began, or while an answer was on its way, and the guest does not know.
    if (hostCall.leftCall?.isTold === false) hostCall.interrupt()
    exit = start(hostCall, begun, raws)
  }
  if (guest.dead !== undefined) throw unwind(guest, guest.dead)
  if (exit === undefined && !signature.sync) return (hostCall!.asyncValue = guest.asyncValues.allocate())
  const value = new AnswerToGuest(guest, signature, owner, hostCall, exit ?? unfinished(signature)).pass()
  if (signature.sync) return value
  return value === undefined ? guest.asyncValues.allocate() : guest.asyncValues.ready(value as bigint)
}

/** Why one more host function is not started. Made once: a guest that does not stop asking is refused a million times. */
const overLimit = (guest: Guest, signature: Signature.Signature, raws: Raws): HostExit | undefined => {
  const { hostCalls, limits, refusals } = guest
  const { name, sync } = signature
  // A sync one has ended before its guest can start another.
  if (sync || hostCalls.size < limits.hostCalls) return undefined
  HostArguments.drop(signature, raws, guest.memory)
  let refusal = refusals.get(name)
  if (refusal === undefined) {
    const reason = new HostCallError.TooManyHostCalls({ limit: limits.hostCalls })
    refusal = Exit.fail(new HostCallError.HostCallError({ function: name, reason }))
    refusals.set(name, refusal)
  }
  return refusal
}

/**
 * Starts the function on this stack. Its exit if it has one already; otherwise it goes on and is answered later, unless it
 * is sync: nobody could take its answer.
 */
const start = (hostCall: HostCall, taken: HostExit | Unbegun, raws: Raws): HostExit | undefined => {
  const exit = taken instanceof Unbegun ? taken.begin(hostCall, raws) : taken
  if (exit !== undefined) hostCall.end(exit)
  else if (hostCall.signature.sync) hostCall.interrupt()
  return exit
}

const unfinished = ({ name }: Signature.Signature): HostExit =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Unfinished() }))

/** Host to guest: the answer of an async function that took its time, when the stack is empty. */
const complete = (hostCall: HostCall, exit: HostExit): void => {
  const { guest, owner, signature } = hostCall
  if (guest.dead !== undefined) return
  // Whoever answered may write to the value before the guest's turn comes.
  const kept = guest.lock.isHeld ? written(hostCall, exit) : exit
  guest.enter(new AnswerToGuest(guest, signature, owner, hostCall, kept))
}

/** The same, as bytes of its own. */
const written = ({ context, guest, owner, signature }: HostCall, exit: HostExit): HostExit => {
  const { valueBytes } = guest.limits
  const onUnheard = (error: HostCallError.HostCallError) => guest.tellUnheard(error, owner, context)
  const bytes = HostAnswer.bytesOf(signature, exit, { valueBytes, onUnheard })
  return Result.isSuccess(bytes) ? Exit.succeed(bytes.success) : Exit.fail(bytes.failure)
}
