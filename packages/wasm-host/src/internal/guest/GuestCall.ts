/**
 * A call in its guest: one answer, over many entries.
 *
 * It ends for its caller when it is answered, when the guest dies, or when the caller leaves. What the guest still does for
 * one whose caller has left is nobody's: its host functions are interrupted, and a late answer is taken, freed and dropped.
 */
import type * as Admission from "@fiberhost/core/Admission"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as GuestError from "../../GuestError.ts"
import type { CallObserver } from "../call/CallObserver.ts"
import type { Usage } from "../call/Usage.ts"
import * as Signature from "../module/Signature.ts"
import type { Age } from "./AsyncValues.ts"
import * as FatPtr from "./FatPtr.ts"
import type { Guest } from "./Guest.ts"
import { TooLong } from "./GuestMemory.ts"
import type { RunningHostCall } from "./RunningHostCall.ts"

export type GuestExit = Exit.Exit<Uint8Array, GuestError.GuestError>

/** On whose behalf the guest is entered, and who is told how that ended. */
export interface Caller {
  readonly context: Context.Context<never>
  readonly permit: Admission.Permit | undefined
  readonly observer: CallObserver | undefined
  /** Told once, when the guest is not on the stack; never when the caller has left. */
  readonly exited: (exit: GuestExit, hasBegun: boolean) => void
}

/**
 * The call in its guest, step by step: a turn on the guest's stack, arguments in, the export, and for an async one its
 * answer through `resolved`. `args` are one MessagePack value each, checked by the contract and no longer than a guest
 * accepts; the answer is one MessagePack value. Its exit if it has one already, otherwise its caller is told later.
 */
export const start = (call: GuestCall, args: ReadonlyArray<Uint8Array>): GuestExit | undefined => {
  enter(call, args)
  // Settled by now: its fiber goes on here, whoever else is being resumed.
  return call.takeExit()
}

const enter = (call: GuestCall, args: ReadonlyArray<Uint8Array>): void => {
  const { guest, signature } = call
  if (guest.dead !== undefined) return call.fail(guest.dead)
  guest.enter("call", call, () => {
    if (call.isSettled) return
    call.hasBegun = true
    const raws = passArguments(call, args)
    if (raws === undefined) return
    if (!signature.sync) call.age = guest.asyncValues.begin()
    const answer = guest.exports[call.index]!(...raws)
    // The guest has caught what the host threw: its answer is none.
    if (guest.unwinding !== undefined) throw guest.unwinding
    if (signature.sync) call.answer(answerOf(guest, signature, answer))
    else call.returned(answer as bigint)
  })
}

/** Host to guest: the arguments as the export takes them. When the guest has no memory for them the call fails. */
const passArguments = (call: GuestCall, args: ReadonlyArray<Uint8Array>): Array<number | bigint> | undefined => {
  const { memory } = call.guest
  const raws: Array<number | bigint> = []
  for (const [position, kind] of call.signature.arguments.entries()) {
    const value = args[position]!
    const raw = kind === "bytes" ? memory.tryWrite(value) : Signature.toRaw(kind, value)
    if (raw === undefined) {
      for (const [written, kind] of call.signature.arguments.slice(0, position).entries()) {
        if (kind === "bytes") memory.release(raws[written] as bigint)
      }
      call.fail(new GuestError.OutOfMemory({ bytes: value.byteLength }))
      return undefined
    }
    raws.push(raw)
  }
  return raws
}

/** An answer as it was taken from the guest. */
type Taken = Uint8Array | TooLong

/** Guest to host: the answer of a sync export as MessagePack. */
const answerOf = (guest: Guest, { result }: Signature.Signature, answer: number | bigint | undefined): Taken => {
  if (result === "void") return nil
  return result === "bytes" ? guest.memory.take(answer as bigint) : Signature.fromRaw(result, answer!)
}

/** MessagePack nil: the answer of a function that returns nothing. */
export const nil = new Uint8Array([0xc0])

/** Guest to host: `__fp_host_resolve_async_value`. Called while the guest is on the stack. */
export const resolved = (guest: Guest, asyncValue: bigint, answer: bigint): void => {
  const offset = FatPtr.offsetOf(asyncValue)
  const call = guest.unresolved.get(offset)
  if (call !== undefined) return call.answered(asyncValue, answer)
  // The task never waited: it is resolved before its export returns, and only then is its AsyncValue known.
  const starting = guest.current
  if (starting === undefined || !starting.awaitsReturn || starting.early !== undefined) {
    throw violation(`it answered AsyncValue ${offset}, which is no call's, or was answered before`)
  }
  // Taking the answer frees it, in which the guest may answer again.
  const early: { readonly asyncValue: bigint; answer: Taken } = { asyncValue, answer: nil }
  starting.early = early
  early.answer = guest.memory.take(answer)
}

export class GuestCall {
  readonly guest: Guest
  readonly index: number
  readonly signature: Signature.Signature
  readonly caller: Caller
  /** What its starter knows it by. */
  readonly id: number
  /** Of a measured call. */
  readonly usage: Usage | undefined
  /** Whether the guest has been entered for it. */
  hasBegun = false
  /** Host functions that it waits for. They pass to the guest when it settles before them. */
  readonly hostCalls = new Set<RunningHostCall>()
  age: Age | undefined
  early: { readonly asyncValue: bigint; answer: Taken } | undefined
  /** The last line that the guest logged for this call. */
  logged: string | undefined
  /** Whether the caller has its answer, or has left. */
  isSettled = false
  private hasReturned = false
  private starting = true
  private exit: GuestExit | undefined

  constructor(guest: Guest, index: number, caller: Caller, usage: Usage | undefined, id = 0) {
    this.guest = guest
    this.index = index
    this.id = id
    this.usage = usage
    this.signature = guest.signature.exports[index]!
    this.caller = caller
    guest.calls.add(this)
  }

  get context(): Context.Context<never> {
    return this.caller.context
  }

  get permit(): Admission.Permit | undefined {
    return this.caller.permit
  }

  get observer(): CallObserver | undefined {
    return this.caller.observer
  }

  /** Whether its export is on the stack, so that the guest may resolve an AsyncValue not known yet. */
  get awaitsReturn(): boolean {
    return this.age !== undefined && !this.hasReturned
  }

  /** The async export has returned its AsyncValue. */
  returned(asyncValue: bigint): void {
    this.hasReturned = true
    const offset = FatPtr.offsetOf(asyncValue)
    if (!this.guest.asyncValues.mayBeAt(offset)) throw violation(`it returned ${asyncValue}, which is no AsyncValue`)
    if (this.guest.unresolved.has(offset)) throw violation("it returned the AsyncValue of another call")
    if (this.early === undefined) {
      this.guest.unresolved.set(offset, this)
      return
    }
    if (this.early.asyncValue !== asyncValue) throw violation("it answered an AsyncValue that is no call's")
    this.finish(asyncValue, this.early.answer)
  }

  /** The guest resolved it after its export had returned. */
  answered(asyncValue: bigint, answer: bigint): void {
    this.guest.unresolved.delete(FatPtr.offsetOf(asyncValue))
    this.finish(asyncValue, this.guest.memory.take(answer))
  }

  /** The guest never touches an export's AsyncValue once it is resolved and the export has returned: freed here. */
  private finish(asyncValue: bigint, answer: Taken): void {
    this.guest.memory.release(asyncValue)
    this.guest.asyncValues.settle(this.age!)
    // fp-bindgen's SPEC.md lets a guest answer nothing with the null pointer.
    this.answer(!(answer instanceof TooLong) && answer.byteLength === 0 ? nil : answer)
  }

  answer(answer: Taken): void {
    if (!(answer instanceof TooLong)) return this.settle(Exit.succeed(answer))
    this.fail(new GuestError.ValueTooLarge({ path: "", limit: this.guest.limits.valueBytes }))
  }

  fail(reason: GuestError.Reason): void {
    this.settle(this.failure(reason))
  }

  die(defect: unknown): void {
    this.settle(Exit.die(defect))
  }

  /** The caller was interrupted: nobody waits for the answer, nor for the host functions that would lead to it. */
  abandon(): void {
    if (this.isSettled) return
    this.leave()
    for (const hostCall of this.hostCalls) hostCall.interrupt()
  }

  private failure(reason: GuestError.Reason): Exit.Exit<never, GuestError.GuestError> {
    const { plugin } = this.guest.signature
    return Exit.fail(new GuestError.GuestError({ plugin, function: this.signature.name, reason }))
  }

  /** The end of its first step: its exit if it has one already. From now on its caller is resumed by the guest. */
  takeExit(): GuestExit | undefined {
    this.starting = false
    return this.exit
  }

  private settle(exit: GuestExit): void {
    if (this.isSettled) return
    this.leave()
    for (const hostCall of this.hostCalls) hostCall.owner = undefined
    this.hostCalls.clear()
    if (this.starting) this.exit = exit
    else this.guest.settle(() => this.caller.exited(exit, this.hasBegun))
  }

  private leave(): void {
    this.isSettled = true
    this.guest.calls.delete(this)
  }
}

const violation = (detail: string): GuestError.GuestFault =>
  new GuestError.GuestFault(new GuestError.ProtocolViolation({ detail }))
