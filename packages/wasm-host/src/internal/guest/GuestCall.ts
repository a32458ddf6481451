/**
 * A call of a guest function, from the caller's point of view: one question, one answer, over many entries.
 *
 * It belongs to the caller's fiber, which waits for it without a fiber of its own. Interrupting the caller settles it at
 * once; what the guest still does for it is then nobody's: its host functions are interrupted, and a late answer is
 * taken, freed and dropped.
 */
import type * as Admission from "@fiberhost/core/Admission"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import * as Signature from "../module/Signature.ts"
import type { Age } from "./AsyncValues.ts"
import * as FatPtr from "./FatPtr.ts"
import type { Guest } from "./Guest.ts"
import type { GuestCodec } from "./GuestCodec.ts"
import * as RunningHostCall from "./RunningHostCall.ts"

/** What callers do when the executor is full: wait, or fail with `NoRoom`. */
export type WhenFull = "suspend" | "fail"

/** Where calls are admitted, and what they do when it is full. */
export interface Gate {
  readonly admission: Admission.Admission
  readonly whenFull: WhenFull
}

export type GuestExit = Exit.Exit<Uint8Array, GuestError.GuestError>

/** The guest call in the caller's fiber: its payload in, its answer out. */
export const run = (
  guest: Guest,
  index: number,
  guestCodec: GuestCodec,
  payload: unknown,
  gate: Gate
): Effect.Effect<unknown, unknown> =>
  Effect.withFiber((fiber) =>
    Effect.callback((resume) => {
      const args = guestCodec.encode(payload)
      if (Result.isFailure(args)) return resume(guestCodec.fail(args.failure))
      const settled = (exit: GuestExit) => resume(Exit.isSuccess(exit) ? guestCodec.decode(exit.value) : exit)
      const call = new GuestCall(guest, index, fiber.context, settled)
      const exit = start(call, args.success, gate)
      if (exit === undefined) return Effect.sync(() => call.abandon())
      return settled(exit)
    })
  )

/**
 * The guest call, step by step: room in the executor, a turn on the guest's stack, arguments in, the export, and for an
 * async one its answer through `resolved`. `args` are one MessagePack value each, checked by the contract and no longer
 * than a guest accepts; the answer is one MessagePack value. Its exit if it has one already, otherwise `resume` is
 * called. Without a gate it enters at once.
 */
export const start = (
  call: GuestCall,
  args: ReadonlyArray<Uint8Array>,
  gate: Gate | undefined
): GuestExit | undefined => {
  begin(call, args, gate)
  // Settled by now: its fiber goes on here, whoever else is being resumed.
  return call.takeExit()
}

const begin = (call: GuestCall, args: ReadonlyArray<Uint8Array>, gate: Gate | undefined): void => {
  if (gate === undefined) return enter(call, args)
  const hostFunction = RunningHostCall.blockedBy(call.context, call.guest)
  if (hostFunction !== undefined) return call.fail(new GuestError.WouldDeadlock({ hostFunction }))
  admit(call, gate, () => enter(call, args))
}

/** What waits for room. It leaves its permit when it settles. */
export interface Entrant {
  readonly context: Context.Context<never>
  permit: Admission.Permit | undefined
  readonly fail: (reason: GuestError.Reason) => void
}

/** Room in the executor: `enter` is called once, now or when its turn comes. */
export const admit = (call: Entrant, { admission, whenFull }: Gate, enter: () => void): void => {
  const permit = whenFull === "fail" ? admission.tryEnter(call.context) : admission.request(call.context)
  if (permit === "NoRoom") return call.fail(new GuestError.NoRoom({ capacity: admission.capacity }))
  if (permit === "Closed") return call.fail(new GuestError.Closed())
  call.permit = permit

  if (permit.state === "Active") return enter()
  permit.onChange = () => {
    if (permit.state === "Refused") return call.fail(new GuestError.Closed())
    if (permit.state !== "Active") return
    // Two changes in one turn are told twice, and a call enters once.
    permit.onChange = undefined
    enter()
  }
}

const enter = (call: GuestCall, args: ReadonlyArray<Uint8Array>): void => {
  const { guest, signature } = call
  if (guest.dead !== undefined) return call.fail(guest.dead)
  guest.enter("call", call, () => {
    if (call.isSettled) return
    const raws = passArguments(call, args)
    if (raws === undefined) return
    if (!signature.sync) call.age = guest.asyncValues.begin()
    const answer = guest.exports[call.index]!(...raws)
    if (signature.sync) call.succeed(answerOf(guest, signature, answer))
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

/** Guest to host: the answer of a sync export as MessagePack. */
const answerOf = (guest: Guest, { result }: Signature.Signature, answer: number | bigint | undefined): Uint8Array => {
  if (result === "void") return nil
  return result === "bytes" ? guest.memory.take(answer as bigint) : Signature.fromRaw(result, answer!)
}

/** MessagePack nil: the answer of a function that returns nothing. */
const nil = new Uint8Array([0xc0])

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
  starting.early = { asyncValue, answer: guest.memory.take(answer) }
}

export class GuestCall {
  readonly guest: Guest
  readonly index: number
  readonly signature: Signature.Signature
  readonly context: Context.Context<never>
  /** What its starter knows it by. */
  readonly id: number
  /** Host functions that it waits for. They pass to the guest when it settles before them. */
  readonly hostCalls = new Set<RunningHostCall.RunningHostCall>()
  permit: Admission.Permit | undefined
  age: Age | undefined
  early: { readonly asyncValue: bigint; readonly answer: Uint8Array } | undefined
  /** The last line that the guest logged for this call. */
  logged: string | undefined
  private resume: ((exit: GuestExit) => void) | undefined
  private hasReturned = false
  private starting = true
  private exit: GuestExit | undefined

  constructor(guest: Guest, index: number, context: Context.Context<never>, resume: (exit: GuestExit) => void, id = 0) {
    this.guest = guest
    this.index = index
    this.id = id
    this.signature = guest.signature.exports[index]!
    this.context = context
    this.resume = resume
    guest.calls.add(this)
  }

  /** Whether the caller has its answer, or has left. */
  get isSettled(): boolean {
    return this.resume === undefined
  }

  /** Whether its export is on the stack, so that the guest may resolve an AsyncValue not known yet. */
  get awaitsReturn(): boolean {
    return this.age !== undefined && !this.hasReturned
  }

  /** The async export has returned its AsyncValue. */
  returned(asyncValue: bigint): void {
    this.hasReturned = true
    const offset = FatPtr.offsetOf(asyncValue)
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
  private finish(asyncValue: bigint, answer: Uint8Array): void {
    this.guest.memory.release(asyncValue)
    this.guest.asyncValues.settle(this.age!)
    // fp-bindgen's SPEC.md lets a guest answer nothing with the null pointer.
    this.succeed(answer.byteLength === 0 ? nil : answer)
  }

  succeed(answer: Uint8Array): void {
    this.settle(Exit.succeed(answer))
  }

  fail(reason: GuestError.Reason): void {
    this.settle(this.failure(reason))
  }

  die(defect: unknown): void {
    this.settle(Exit.die(defect))
  }

  /** The caller was interrupted: nobody waits for the answer, nor for the host functions that would lead to it. */
  abandon(): void {
    if (this.resume === undefined) return
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
    const resume = this.resume
    if (resume === undefined) return
    this.leave()
    for (const hostCall of this.hostCalls) hostCall.owner = undefined
    this.hostCalls.clear()
    if (this.starting) this.exit = exit
    else this.guest.settle(() => resume(exit))
  }

  private leave(): void {
    this.resume = undefined
    this.guest.calls.delete(this)
    this.permit?.leave()
  }
}

const violation = (detail: string): GuestError.GuestFault =>
  new GuestError.GuestFault(new GuestError.ProtocolViolation({ detail }))
