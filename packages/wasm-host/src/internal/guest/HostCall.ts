/**
 * A call of a host function by a guest.
 *
 * It starts inside the import; what completes later waits for its turn on the guest's stack. It ends when it is answered,
 * which is soon after its call is interrupted, and when its guest ends.
 */
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import * as Signature from "../module/Signature.ts"
import type { Guest } from "./Guest.ts"
import type * as GuestCall from "./GuestCall.ts"
import { TooLong } from "./GuestMemory.ts"
import { answerOf, type HostExit } from "./HostAnswer.ts"
import { RunningHostCall } from "./RunningHostCall.ts"

/**
 * Begins a host function on the guest's stack: its exit if it has one already, or what interrupts it; then `onExit` is
 * told the exit, once, when the guest is not on the stack.
 */
export type Host = (
  args: ReadonlyArray<Uint8Array>,
  hostCall: HostCall,
  onExit: (exit: HostExit) => void
) => HostExit | (() => void)

export class HostCall extends RunningHostCall<GuestCall.GuestCall> {
  readonly guest: Guest
  readonly index: number
  /** What its guest waits for; 0 for a sync function. */
  readonly asyncValue: bigint
  private isAnswered = false

  constructor(guest: Guest, index: number, asyncValue: bigint) {
    super(guest.signature.plugin, guest.signature.imports[index]!, guest.current, guest.context)
    this.guest = guest
    this.index = index
    this.asyncValue = asyncValue
    guest.hostCalls.add(this)
    guest.used.hostCalls++
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
    if (this.isAnswered || this.signature.sync || this.ending.hasCome) return false
    this.answer(Exit.fail(HostCallError.interrupted(this.signature.name)))
    return true
  }

  end(exit: HostExit): void {
    this.guest.hostCalls.delete(this)
    this.leave(exit)
    this.owner?.usage?.hostEnded()
    if (this.guest.dead !== undefined) this.guest.changed()
    this.ending.come()
  }
}

/** A host function of the guest's own thread: its Effect runs in a fiber, unless it has its answer already. */
export const inThread =
  (bytes: HostFunction.Bytes): Host =>
  (args, hostCall, onExit) => {
    const effect = bytes(args)
    if (HostFunction.isExit(effect)) return effect
    const fiber = Effect.runForkWith(hostCall.context)(effect)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    fiber.addObserver(onExit)
    return () => fiber.interruptUnsafe()
  }

/**
 * The host call, step by step: arguments out of guest memory, the Effect started, and its answer: at once for a sync
 * function, at once or through `complete` for an async one. Called by the guest, so what it throws unwinds the guest.
 */
export const run = (guest: Guest, index: number, raws: ReadonlyArray<number | bigint>): number | bigint | undefined => {
  const signature = guest.signature.imports[index]!
  const taken = takeArguments(guest, signature, raws)
  const asyncValue = signature.sync ? 0n : guest.asyncValues.allocate()
  const args = taken instanceof HostCallError.HostCallError ? taken : (overLimit(guest, signature) ?? taken)
  const hostCall = new HostCall(guest, index, asyncValue)
  const exit = args instanceof HostCallError.HostCallError ? refuse(hostCall, args) : start(hostCall, args)
  if (guest.dead !== undefined) throw unwind(guest, guest.dead)

  if (signature.sync) {
    const answer = answerOf(signature, exit ?? unfinished(signature), guest.limits.valueBytes, () => hostCall.context)
    // No value may be made up, and the guest waits for one on its stack.
    if (Result.isFailure(answer)) throw unwind(guest, new GuestError.HostFunctionFailed({ error: answer.failure }))
    return passAnswer(guest, signature, answer.success)
  }

  if (exit === undefined) return asyncValue
  const value = writeAnswer(
    hostCall,
    answerOf(signature, exit, guest.limits.valueBytes, () => hostCall.context)
  )
  if (value !== undefined) {
    guest.asyncValues.fill(asyncValue, value)
    guest.asyncValues.retire(asyncValue)
  }
  return asyncValue
}

/**
 * Guest to host: one MessagePack value for each argument; those in guest memory are freed. Or why the function is not
 * started: one is too long.
 */
const takeArguments = (
  guest: Guest,
  { arguments: kinds, name }: Signature.Signature,
  raws: ReadonlyArray<number | bigint>
): ReadonlyArray<Uint8Array> | HostCallError.HostCallError => {
  let refused: HostCallError.HostCallError | undefined
  const args: Array<Uint8Array> = []
  for (const [position, kind] of kinds.entries()) {
    const raw = raws[position]!
    const taken = kind === "bytes" ? guest.memory.take(raw as bigint) : Signature.fromRaw(kind, raw)
    if (!(taken instanceof TooLong)) args.push(taken)
    else refused ??= HostCallError.argumentsRefused(name, "", taken.detail)
  }
  return refused ?? args
}

/** Why one more host function is not started. Made once: a guest that does not stop asking is refused a million times. */
const overLimit = (guest: Guest, { name, sync }: Signature.Signature): HostCallError.HostCallError | undefined => {
  const { hostCalls, limits, refusals } = guest
  // A sync one has ended before its guest can start another.
  if (sync || hostCalls.size < limits.hostCalls) return undefined
  const made = refusals.get(name)
  if (made !== undefined) return made
  const reason = new HostCallError.TooManyHostCalls({ limit: limits.hostCalls })
  const refusal = new HostCallError.HostCallError({ function: name, reason })
  refusals.set(name, refusal)
  return refusal
}

const refuse = (hostCall: HostCall, error: HostCallError.HostCallError): HostExit => {
  const exit = Exit.fail(error)
  hostCall.end(exit)
  return exit
}

/**
 * Starts the function on this stack. Its exit if it has one already; otherwise it goes on and is answered later, unless it
 * is sync: nobody could take its answer.
 */
const start = (hostCall: HostCall, args: ReadonlyArray<Uint8Array>): HostExit | undefined => {
  const { guest, index, signature } = hostCall
  const started = guest.hosts[index]!(args, hostCall, (exit) => {
    hostCall.end(exit)
    hostCall.answer(exit)
  })
  if (typeof started !== "function") {
    hostCall.end(started)
    return started
  }
  hostCall.begun(started)
  if (signature.sync) hostCall.interrupt()
  return undefined
}

const unfinished = ({ name }: Signature.Signature): HostExit =>
  Exit.fail(new HostCallError.HostCallError({ function: name, reason: new HostCallError.Unfinished() }))

/** Host to guest: the answer of a sync function as the import returns it. */
const passAnswer = (guest: Guest, { result }: Signature.Signature, answer: Uint8Array): number | bigint | undefined => {
  if (result === "void") return undefined
  return result === "bytes" ? guest.memory.write(answer) : Signature.toRaw(result, answer)
}

/** Host to guest: the answer of an async function that took its time, when the stack is empty. */
const complete = (hostCall: HostCall, exit: HostExit): void => {
  const { asyncValue, guest, owner, signature } = hostCall
  if (guest.dead !== undefined) return
  const answer = answerOf(signature, exit, guest.limits.valueBytes, () => hostCall.context)
  guest.enter("resolve", owner, () => {
    const value = writeAnswer(hostCall, answer)
    if (value === undefined) return
    guest.resolve(asyncValue, value)
    guest.asyncValues.retire(asyncValue)
  })
}

/**
 * Host to guest: the answer of an async function in guest memory. Undefined when there is none, or no room for it: the
 * guest's future will never be answered, so the call that waits for it fails, and others go on.
 */
const writeAnswer = (
  { guest, owner }: HostCall,
  answer: Result.Result<Uint8Array, HostCallError.HostCallError>
): bigint | undefined => {
  const value = Result.isSuccess(answer) ? guest.memory.tryWrite(answer.success) : undefined
  if (value !== undefined) return value
  guest.abandoned++
  if (owner?.isSettled !== false) return undefined
  owner.fail(
    Result.isSuccess(answer)
      ? new GuestError.OutOfMemory({ bytes: answer.success.byteLength })
      : new GuestError.HostFunctionFailed({ error: answer.failure })
  )
  return undefined
}

/** What the host throws through guest frames on purpose. */
const unwind = (guest: Guest, reason: GuestError.Reason): GuestError.GuestFault =>
  (guest.unwinding = new GuestError.GuestFault(reason))
