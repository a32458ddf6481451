/**
 * A call of a host function by a guest.
 *
 * It starts inside the import; what completes later waits for its turn on the guest's stack. It ends when it is answered,
 * which is soon after its call is interrupted, and when its guest ends.
 */
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import type { Member } from "@fiberhost/core/Line"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import * as Signature from "../module/Signature.ts"
import type { Guest } from "./Guest.ts"
import type * as GuestCall from "./GuestCall.ts"
import type { Raws } from "./GuestCodec.ts"
import type { HostExit } from "./HostAnswer.ts"
import * as HostAnswer from "./HostAnswer.ts"
import * as HostArguments from "./HostArguments.ts"
import { type Interruptible, RunningHostCall } from "./RunningHostCall.ts"

/**
 * Takes a host function's arguments out of guest memory, on the guest's stack. Its exit if it has one at once; otherwise what
 * begins it for a host call.
 */
export type Host = (guest: Guest, signature: Signature.Signature, raws: Raws) => HostExit | Begin

/**
 * Begins the function for `hostCall`; `raws` have not been taken. Its exit if it has one by then, otherwise what interrupts it;
 * `onExit` is then told once, off the guest's stack.
 */
export type Begin = (hostCall: HostCall, onExit: (exit: HostExit) => void, raws: Raws) => HostExit | Interruptible

export class HostCall extends RunningHostCall<GuestCall.GuestCall> implements Member<HostCall> {
  previous: HostCall | undefined = undefined
  next: HostCall | undefined = undefined
  readonly guest: Guest
  readonly index: number
  /** What the wire knows it by, where its function runs on another thread; otherwise 0. */
  id = 0
  /** What its guest waits for, once the function has begun and has no answer. */
  asyncValue = 0n
  private isAnswered = false

  constructor(guest: Guest, index: number) {
    super(guest.signature.plugin, guest.signature.imports[index]!, guest.current, guest.context)
    this.guest = guest
    this.index = index
    guest.hostCalls.push(this)
    this.owner?.usage?.hostBegan()
  }

  protected get waits(): unknown {
    return this.guest
  }

  /** The answer of an async function that took its time. Later ones are dropped. */
  answer(exit: HostExit): void {
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

/** A host function of the guest's own thread: its Effect runs in a fiber, unless it has its answer already. */
export const inThread = (implementation: HostFunction.Implementation): Host => {
  const { bytes, codec, values } = implementation
  if (values === undefined) {
    return (guest, signature, raws) => {
      const args = HostArguments.take(signature, raws, guest.memory)
      if (Result.isFailure(args)) return Exit.fail(args.failure)
      const effect = bytes(args.success)
      if (HostFunction.isExit(effect)) return effect
      return (hostCall, onExit) => HostFunction.fork(effect, hostCall.contextOf(implementation), onExit)
    }
  }
  const { handle } = values
  const finished = HostAnswer.finished(codec, values)
  return (guest, signature, raws) => {
    const payload = HostArguments.read(codec, signature, raws, guest.memory)
    if (Result.isFailure(payload)) return Exit.fail(payload.failure)
    const effect = handle(payload.success)
    if (HostFunction.isExit(effect)) return finished(effect)
    return (hostCall, onExit) => {
      const running = HostFunction.fork(effect, hostCall.contextOf(implementation), (exit) => onExit(finished(exit)))
      return Exit.isExit(running) ? finished(running) : running
    }
  }
}

/**
 * The host call, step by step: arguments out of guest memory, the function, and its answer: at once for a sync function, at
 * once or through `complete` for an async one. Called by the guest, so what it throws unwinds the guest.
 */
export const run = (guest: Guest, index: number, raws: Raws): number | bigint | undefined => {
  const signature = guest.signature.imports[index]!
  const begun = overLimit(guest, signature, raws) ?? guest.hosts[index]!(guest, signature, raws)
  const owner = guest.current?.isSettled === false ? guest.current : undefined
  let hostCall: HostCall | undefined
  let exit: HostExit | undefined
  guest.used.hostCalls++
  if (typeof begun !== "function" && owner?.observer === undefined) {
    exit = begun
  } else {
    hostCall = new HostCall(guest, index)
    exit = start(hostCall, begun, raws)
  }
  if (guest.dead !== undefined) throw unwind(guest, guest.dead)
  if (exit === undefined && !signature.sync) return (hostCall!.asyncValue = guest.asyncValues.allocate())
  const value = passAnswer(guest, hostCall ?? owner, owner, signature, exit ?? unfinished(signature))
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
const start = (hostCall: HostCall, begin: HostExit | Begin, raws: Raws): HostExit | undefined => {
  const started =
    typeof begin !== "function"
      ? begin
      : begin(
          hostCall,
          (exit) => {
            hostCall.end(exit)
            hostCall.answer(exit)
            // Whoever keeps the function's context keeps the call no longer.
            hostCall.owner = undefined
          },
          raws
        )
  if (!("interruptUnsafe" in started)) {
    hostCall.end(started)
    return started
  }
  hostCall.begun(started)
  if (hostCall.signature.sync) hostCall.interrupt()
  return undefined
}

const unfinished = ({ name }: Signature.Signature): HostExit =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Unfinished() }))

/** Host to guest: the answer of an async function that took its time, when the stack is empty. */
const complete = (hostCall: HostCall, exit: HostExit): void => {
  const { guest, owner, signature } = hostCall
  if (guest.dead !== undefined) return
  // Whoever answered may write to the value before the guest's turn comes.
  const kept = guest.lock.isHeld ? written(hostCall, exit) : exit
  guest.enter("resolve", owner, () => {
    const value = passAnswer(guest, hostCall, owner, signature, kept)
    if (value === undefined) return
    // Of one that was answered while it began it is known only now.
    guest.resolve(hostCall.asyncValue, value as bigint)
    guest.asyncValues.retire(hostCall.asyncValue)
  })
}

/** The same, as bytes of its own. */
const written = ({ context, guest, owner, signature }: HostCall, exit: HostExit): HostExit => {
  const bytes = HostAnswer.bytesOf(signature, exit, guest.limits.valueBytes, (error) =>
    guest.tellUnheard(error, owner, context)
  )
  return Result.isSuccess(bytes) ? Exit.succeed(bytes.success) : Exit.fail(bytes.failure)
}

/**
 * Host to guest: the answer as an import returns it, or as it lies in guest memory for an async one. Undefined when an async
 * one has none, or no room for it: the guest's future will never be answered, so the call that waits for it fails, and others
 * go on. A sync one unwinds its guest then: no value may be made up, and the guest waits for one on its stack.
 */
const passAnswer = (
  guest: Guest,
  ranIn: { readonly context: Context.Context<never> } | undefined,
  owner: GuestCall.GuestCall | undefined,
  signature: Signature.Signature,
  exit: HostExit
): number | bigint | undefined => {
  const { memory } = guest
  const { result, sync } = signature
  let size = 0
  const value = HostAnswer.write(
    signature,
    exit,
    guest.limits.valueBytes,
    (error) => guest.tellUnheard(error, owner, ranIn?.context ?? guest.context),
    (bytes, length): number | bigint | undefined => {
      size = length
      if (!sync || result === "bytes") return memory.tryWrite(bytes, length)
      return result === "void" ? undefined : Signature.toRaw(result, bytes.subarray(0, length))
    }
  )
  if (sync) {
    if (Result.isFailure(value)) throw unwind(guest, new GuestError.HostFunctionFailed({ error: value.failure }))
    if (value.success === undefined && result !== "void")
      throw unwind(guest, new GuestError.OutOfMemory({ bytes: size }))
    return value.success
  }
  if (Result.isSuccess(value) && value.success !== undefined) return value.success
  guest.abandoned++
  if (owner?.isSettled !== false) return undefined
  owner.fail(
    Result.isSuccess(value)
      ? new GuestError.OutOfMemory({ bytes: size })
      : new GuestError.HostFunctionFailed({ error: value.failure })
  )
  return undefined
}

/** What the host throws through guest frames on purpose. */
const unwind = (guest: Guest, reason: GuestError.Reason): GuestError.GuestFault =>
  (guest.unwinding = new GuestError.GuestFault(reason))
