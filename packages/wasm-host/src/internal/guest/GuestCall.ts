/**
 * A call in its guest: one answer, over many entries.
 *
 * It ends for its caller when it is answered, when the guest dies, or when the caller leaves. What the guest still does for
 * one whose caller has left is nobody's: its host functions are interrupted, and a late answer is taken, freed and dropped.
 */
import type * as Admission from "@fiberhost/core/Admission"
import { isA } from "@fiberhost/core/Foreign"
import type { Member } from "@fiberhost/core/Line"
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as GuestError from "../../GuestError.ts"
import type { CallObserver } from "../call/CallObserver.ts"
import type { Usage } from "../call/Usage.ts"
import { HostCalls } from "../host/HostCalls.ts"
import type { Admitted } from "../host/RunningHostCall.ts"
import type { Age } from "../memory/AsyncValues.ts"
import * as FatPtr from "../memory/FatPtr.ts"
import type { GuestMemory } from "../memory/GuestMemory.ts"
import type * as Signature from "../module/Signature.ts"
import type { Guest, Turn } from "./Guest.ts"
import { Refused } from "./GuestArgument.ts"
import { type Raws, release } from "./GuestCodec.ts"

/** How a call ended in its guest. */
export type GuestExit<A = unknown> = Exit.Exit<A, unknown>

/** On whose behalf the guest is entered: what goes in, what comes out, and who is told how that ended. */
export interface Caller<A = unknown> {
  readonly context: Context.Context<never>
  readonly permit: Admission.Permit | undefined
  readonly observer: CallObserver | undefined
  /** Host to guest: the arguments as the export takes them. Throws a `Refused`, and then none is left in the guest's memory. */
  pass(memory: GuestMemory): Raws
  /** Guest to host: takes the answer that the export returned, or resolved its AsyncValue with. */
  take(answer: number | bigint | undefined, memory: GuestMemory): GuestExit<A>
  /** Told once, when the guest is not on the stack; never when the caller has left. */
  exited(exit: GuestExit<A>, hasBegun: boolean): void
}

/**
 * The call in its guest, step by step: a turn on the guest's stack, arguments in, the export, and for an async one its
 * answer through `resolved`. Its exit if it has one already, otherwise its caller is told later.
 */
export const start = <A>(call: GuestCall<A>): GuestExit<A> | undefined => {
  const { guest } = call
  if (guest.dead !== undefined) call.fail(guest.dead)
  else guest.enter(call)
  // Settled by now: its fiber goes on here, whoever else is being resumed.
  return call.takeExit()
}

/** On the guest's stack. */
const enter = (call: GuestCall): void => {
  const { guest, signature } = call
  if (call.isSettled) return
  call.hasBegun = true
  const raws = passed(call)
  if (raws === undefined) return
  // A getter of the payload may have closed it, or interrupted its caller.
  if (guest.dead !== undefined) return call.fail(guest.dead)
  if (call.isSettled) return release(raws, signature.arguments, guest.memory)
  if (!signature.sync) call.age = guest.asyncValues.begin()
  const run = guest.exportOf(call.index)
  const answer = raws.length === 1 ? run(raws[0]!) : run(...raws)
  // The guest has caught what the host threw: its answer is none.
  if (guest.unwinding !== undefined) throw guest.unwinding
  if (signature.sync) call.settle(call.caller.take(answer, guest.memory))
  else call.returned(answer as bigint)
}

/** The arguments, unless the call has failed for them. */
const passed = (call: GuestCall): Raws | undefined => {
  try {
    return call.caller.pass(call.guest.memory)
  } catch (thrown) {
    if (!isA(thrown, Refused)) throw thrown
    call.fail(thrown.reason)
    return undefined
  }
}

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
  const early: Early = { asyncValue, exit: Exit.void }
  starting.early = early
  early.exit = starting.take(answer)
}

/** An answer that came before its AsyncValue was known. */
interface Early {
  readonly asyncValue: bigint
  exit: GuestExit
}

export class GuestCall<A = unknown> implements Member<GuestCall>, Turn {
  previous: GuestCall | undefined = undefined
  next: GuestCall | undefined = undefined
  /** Of `Unresolved`: where its AsyncValue lies, and the next call of the same slot. */
  offset = 0
  sameSlot: GuestCall | undefined = undefined
  readonly guest: Guest
  readonly index: number
  readonly signature: Signature.Signature
  readonly caller: Caller<A>
  /** What its starter knows it by. */
  readonly id: number
  /** Of a measured call. */
  readonly usage: Usage | undefined
  /** Whether the guest has been entered for it. */
  hasBegun = false
  private running: HostCalls | undefined
  age: Age | undefined
  early: Early | undefined
  /** The last line that the guest logged for this call. */
  logged: string | undefined
  admitted: Admitted | undefined
  /** Whether the caller has its answer, or has left. */
  isSettled = false
  /** Whether the caller has left. */
  isAbandoned = false
  /** Whether the guest was told that he has, by an Err: what it asks for from then on, to clean up, runs on. */
  isTold = false
  private hasReturned = false
  private starting = true
  private exit: GuestExit<A> | undefined

  constructor(guest: Guest, index: number, caller: Caller<A>, usage: Usage | undefined, id = 0) {
    this.guest = guest
    this.index = index
    this.id = id
    this.usage = usage
    this.signature = guest.signature.exports[index]!
    this.caller = caller
    guest.calls.push(this)
  }

  /** Host functions that it waits for. They pass to the guest when it settles before them. */
  get hostCalls(): HostCalls {
    return (this.running ??= new HostCalls())
  }

  get call(): GuestCall {
    return this
  }

  get kind(): "call" {
    return "call"
  }

  get leftCall(): GuestCall | undefined {
    return this.isAbandoned ? this : undefined
  }

  enter(): void {
    enter(this)
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
    if (this.guest.unresolved.get(offset) !== undefined) throw violation("it returned the AsyncValue of another call")
    if (this.early === undefined) {
      this.guest.unresolved.add(offset, this)
      return
    }
    if (this.early.asyncValue !== asyncValue) throw violation("it answered an AsyncValue that is no call's")
    this.finish(asyncValue, this.early.exit)
  }

  /** The guest resolved it after its export had returned. */
  answered(asyncValue: bigint, answer: bigint): void {
    this.guest.unresolved.remove(this)
    this.finish(asyncValue, this.take(answer))
  }

  /** Guest to host: the answer, which nobody reads when the caller has left. */
  take(answer: bigint): GuestExit {
    const { guest } = this
    if (!this.isSettled) return this.caller.take(answer, guest.memory)
    guest.memory.drop(answer)
    return Exit.void
  }

  /** The guest never touches an export's AsyncValue once it is resolved and the export has returned: freed here. */
  private finish(asyncValue: bigint, exit: GuestExit): void {
    this.guest.memory.release(asyncValue)
    this.guest.asyncValues.settle(this.age!)
    this.settle(exit as GuestExit<A>)
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
    this.isAbandoned = true
    this.leave()
    if (this.running !== undefined) for (const hostCall of this.running.members) hostCall.interrupt()
  }

  private failure(reason: GuestError.Reason): Exit.Exit<never, GuestError.GuestError> {
    const { plugin } = this.guest.signature
    return Exit.fail(new GuestError.GuestError({ plugin, function: this.signature.name, reason }))
  }

  /** Its exit, if it has one: at the end of its first step, from which on its caller is resumed by the guest, and when it is. */
  takeExit(): GuestExit<A> | undefined {
    this.starting = false
    return this.exit
  }

  settle(exit: GuestExit<A>): void {
    if (this.isSettled) return
    this.leave()
    this.running?.pass()
    this.exit = exit
    if (!this.starting) this.guest.settle(this)
  }

  private leave(): void {
    this.isSettled = true
    this.guest.calls.remove(this)
  }
}

const violation = (detail: string): GuestError.GuestFault =>
  new GuestError.GuestFault(new GuestError.ProtocolViolation({ detail }))
