/**
 * A call of a host function by a guest.
 *
 * It starts inside the import; what completes later waits for its turn on the guest's stack. It ends when it is answered,
 * which is soon after its call is interrupted, and when its guest ends.
 */
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import type { Member } from "@fiberhost/core/Line"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import * as Signature from "../module/Signature.ts"
import type { Guest, Turn } from "./Guest.ts"
import type * as GuestCall from "./GuestCall.ts"
import type { Raws } from "./GuestCodec.ts"
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

/** A host function of the guest's own thread: its Effect runs in a fiber, unless it has its answer already. */
export const inThread = (implementation: HostFunction.Implementation): Host => {
  const { bytes, codec, values } = implementation
  const finished = HostAnswer.finished(implementation)
  if (values === undefined) {
    return (guest, signature, raws) => {
      const args = HostArguments.take(signature, raws, guest.memory)
      if (Result.isFailure(args)) return Exit.fail(args.failure)
      const effect = bytes(args.success)
      return HostFunction.isExit(effect) ? effect : new Handling(effect, implementation, finished)
    }
  }
  const { handle } = values
  return (guest, signature, raws) => {
    const payload = HostArguments.read(codec, signature, raws, guest.memory)
    if (Result.isFailure(payload)) return Exit.fail(payload.failure)
    const effect = handle(payload.success)
    return HostFunction.isExit(effect) ? finished(effect) : new Handling(effect, implementation, finished)
  }
}

/** A handler's Effect, and the fiber that it runs in. */
class Handling extends Unbegun implements HostFunction.Listener<unknown, unknown> {
  private readonly effect: Effect.Effect<unknown, unknown>
  private readonly implementation: HostFunction.Implementation
  private readonly finished: (exit: Exit.Exit<unknown, unknown>) => HostExit
  private hostCall: HostCall | undefined

  /** `finished`: what is answered when the handler has ended so. */
  constructor(
    effect: Effect.Effect<unknown, unknown>,
    implementation: HostFunction.Implementation,
    finished: (exit: Exit.Exit<unknown, unknown>) => HostExit
  ) {
    super()
    this.effect = effect
    this.implementation = implementation
    this.finished = finished
  }

  begin(hostCall: HostCall): HostExit | undefined {
    this.hostCall = hostCall
    const running = HostFunction.fork(this.effect, hostCall.contextOf(this.implementation), this)
    const exit = running.pollUnsafe()
    if (exit !== undefined) return this.finished(exit)
    hostCall.begun(running)
    return undefined
  }

  exited(exit: Exit.Exit<unknown, unknown>): void {
    this.hostCall!.exited(this.finished(exit))
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
  if (!(begun instanceof Unbegun) && owner?.observer === undefined) {
    exit = begun
  } else {
    hostCall = new HostCall(guest, index)
    exit = start(hostCall, begun, raws)
  }
  if (guest.dead !== undefined) throw unwind(guest, guest.dead)
  if (exit === undefined && !signature.sync) return (hostCall!.asyncValue = guest.asyncValues.allocate())
  const value = new Answer(guest, signature, owner, hostCall, exit ?? unfinished(signature)).pass()
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
  guest.enter(new Answer(guest, signature, owner, hostCall, kept))
}

/** The same, as bytes of its own. */
const written = ({ context, guest, owner, signature }: HostCall, exit: HostExit): HostExit => {
  const { valueBytes } = guest.limits
  const onUnheard = (error: HostCallError.HostCallError) => guest.tellUnheard(error, owner, context)
  const bytes = HostAnswer.bytesOf(signature, exit, { valueBytes, onUnheard })
  return Result.isSuccess(bytes) ? Exit.succeed(bytes.success) : Exit.fail(bytes.failure)
}

/** An answer on its way to the guest. */
class Answer implements HostAnswer.Recipient, Turn {
  private readonly guest: Guest
  private readonly signature: Signature.Signature
  readonly call: GuestCall.GuestCall | undefined
  private readonly hostCall: HostCall | undefined
  private readonly exit: HostExit
  private size = 0
  /** As an import returns it, or as it lies in guest memory for an async one. Undefined when there is none, or no room for it. */
  private value: number | bigint | undefined

  /** `hostCall`: undefined of a function that had its exit at once, and that nobody observes. */
  constructor(
    guest: Guest,
    signature: Signature.Signature,
    owner: GuestCall.GuestCall | undefined,
    hostCall: HostCall | undefined,
    exit: HostExit
  ) {
    this.guest = guest
    this.signature = signature
    this.call = owner
    this.hostCall = hostCall
    this.exit = exit
  }

  get kind(): "resolve" {
    return "resolve"
  }

  get valueBytes(): number {
    return this.guest.limits.valueBytes
  }

  /** Host to guest: resolves what the guest waits for. */
  enter(): void {
    const { guest, hostCall } = this
    const value = this.pass()
    if (value === undefined) return
    // Of one that was answered while it began it is known only now.
    guest.resolve(hostCall!.asyncValue, value as bigint)
    guest.asyncValues.retire(hostCall!.asyncValue)
  }

  /**
   * Host to guest: undefined when an async one has no answer, or no room for it: the guest's future will never be answered, so the
   * call that waits for it fails, and others go on. A sync one unwinds its guest then: no value may be made up, and the guest waits
   * for one on its stack.
   */
  pass(): number | bigint | undefined {
    const refused = HostAnswer.write(this.signature, this.exit, this)
    return refused === undefined && this.value !== undefined ? this.value : this.failed(refused)
  }

  receive(bytes: Uint8Array, size: number, view?: DataView): void {
    const { result, sync } = this.signature
    this.size = size
    if (!sync || result === "bytes") this.value = this.guest.memory.tryWrite(bytes, size, view)
    else if (result !== "void") this.value = Signature.toRaw(result, bytes.subarray(0, size))
  }

  onUnheard(error: HostCallError.HostCallError): void {
    const { call, guest, hostCall } = this
    guest.tellUnheard(error, call, (hostCall ?? call ?? guest).context)
  }

  private failed(refused: HostCallError.HostCallError | undefined): undefined {
    const { call, guest } = this
    const { result, sync } = this.signature
    // A sync one that returns nothing.
    if (refused === undefined && sync && result === "void") return undefined
    const reason =
      refused === undefined
        ? new GuestError.OutOfMemory({ bytes: this.size })
        : new GuestError.HostFunctionFailed({ error: refused })
    if (sync) throw unwind(guest, reason)
    guest.abandoned++
    if (call?.isSettled === false) call.fail(reason)
    return undefined
  }
}

/** What the host throws through guest frames on purpose. */
const unwind = (guest: Guest, reason: GuestError.Reason): GuestError.GuestFault =>
  (guest.unwinding = new GuestError.GuestFault(reason))
