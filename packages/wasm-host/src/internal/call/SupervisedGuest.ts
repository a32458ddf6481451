/**
 * A guest as its plugin's callers know it: it stays, whichever instance runs it.
 *
 * It owns its calls until they settle, the instances that run them, and the timer of both, and ends with the scope that
 * loaded it. Without a supervisor it has one instance, and is dead when that is. With one, a call that has not begun when
 * an instance dies goes to the next, in order, with its place in the executor and its deadline; one that has begun is
 * answered with what happened, unless its function is idempotent.
 */
import * as ContextReader from "@fiberhost/core/ContextReader"
import * as Deadline from "@fiberhost/core/Deadline"
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import { Line } from "@fiberhost/core/Line"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Abi from "../../Abi.ts"
import * as GuestError from "../../GuestError.ts"
import type * as Supervisor from "../../Supervisor.ts"
import { type DirectOutcome, notDirect } from "../guest/DirectCall.ts"
import { GuestCodec } from "../guest/GuestCodec.ts"
import * as StackRoom from "../guest/StackRoom.ts"
import * as RunningHostCall from "../host/RunningHostCall.ts"
import type { Signature } from "../module/Signature.ts"
import * as Call from "./Call.ts"
import type { CallGate } from "./CallGate.ts"
import type { CallObserver } from "./CallObserver.ts"
import * as Escalation from "./Escalation.ts"
import { GuestTimer } from "./GuestTimer.ts"
import { type Instance, noStats, type Stats } from "./Instance.ts"
import type { PluginGuest } from "./PluginGuest.ts"
import * as Preparation from "./Preparation.ts"

export interface Options {
  readonly plugin: string
  readonly gate: CallGate
  readonly functions: ReadonlyArray<FunctionCodec.FunctionCodec>
  /** In the order of `functions`. */
  readonly signatures: ReadonlyArray<Signature>
  readonly instance: Instance
  /** The longest argument that the guest takes. */
  readonly valueBytes: number
  /** Whose clock deadlines are of. */
  readonly context: Context.Context<never>
  readonly observer: CallObserver | undefined
  /** Default: one of its own, which ends with it. */
  readonly timer?: GuestTimer
  readonly onEvent: (event: Supervisor.Incident) => void
}

/** Why another instance is needed. */
export type Need = Died | { readonly _tag: "Recycled"; readonly instance: Instance; readonly because: string }

interface Died {
  readonly _tag: "Died"
  readonly instance: Instance
  readonly reason: GuestError.Reason
}

/** What is told that an instance is not to be used any more; undefined without a supervisor. */
interface Replacer {
  readonly replace: (need: Need) => void
  /** Why the current instance should be recycled now, if it should. */
  readonly isWornOut: (instance: Instance) => string | undefined
  /** How often an idempotent call may be begun again. */
  readonly retries: number
}

/** A function of the contract. */
interface GuestFunction {
  readonly codec: GuestCodec
  /** How long a call may take, in milliseconds. */
  readonly allowed: number
  /** Whether `callDirectly` may call it. */
  readonly isDirect: boolean
}

export class SupervisedGuest implements PluginGuest {
  readonly plugin: string
  readonly gate: CallGate
  readonly missing: ReadonlyArray<string>
  /** Of all of its instances, also while there is none: one executor makes them. */
  readonly inCallingThread: boolean
  readonly observer: CallObserver | undefined
  readonly timer: GuestTimer
  private readonly ownTimer: GuestTimer | undefined
  /** The deadline that a caller has already. */
  readonly deadlineOf = ContextReader.make(Deadline.Current)
  /** The host call that a caller runs in. */
  private readonly hostCallOf = ContextReader.make(RunningHostCall.Current)
  /** How many calls have not settled. The instances have those that have entered. */
  inHand = 0
  /** Calls that no instance has, and not all of them may enter one: they wait for room. */
  readonly outside = new Line<Call.Call>()
  /** Calls that the current instance was given. */
  taken = 0
  /** Undefined while it is being replaced. */
  current: Instance | undefined
  /** Of the instance that takes calls, or was the last to. */
  private watch: Escalation.Watch | undefined
  /** The next instance, from when it is known where it will live until it takes calls. */
  private coming: Instance | undefined
  private replacer: Replacer | undefined
  /** How its instance died, while nobody replaces it. */
  private died: Died | undefined
  readonly onEvent: (event: Supervisor.Incident) => void
  private readonly functions: ReadonlyArray<FunctionCodec.FunctionCodec>
  private readonly signatures: ReadonlyArray<Signature>
  private readonly valueBytes: number
  private readonly made: Array<GuestFunction | undefined> = []
  /** Why no instance will come any more. */
  over: GuestError.Reason | undefined
  /** Calls that have been admitted and that no instance has: there is none, or those before them have not entered it. */
  private readonly waiting = new Line<Call.Call>()
  /** How many calls have been admitted. */
  private admitted = 0
  /** Those who wait for the last call of an instance look whether it was that. */
  private readonly retiring = new Set<() => void>()

  constructor(options: Options) {
    this.plugin = options.plugin
    this.gate = options.gate
    this.missing = options.instance.missing
    this.inCallingThread = options.instance.inCallingThread
    this.functions = options.functions
    this.signatures = options.signatures
    this.valueBytes = options.valueBytes
    this.observer = options.observer
    this.ownTimer = options.timer === undefined ? new GuestTimer(options.context) : undefined
    this.timer = options.timer ?? this.ownTimer!
    this.onEvent = options.onEvent
    this.use(options.instance)
  }

  /** What is known of the function of this index. Made when it is first called: a contract has many, and most rest. */
  functionOf(index: number): GuestFunction {
    return (this.made[index] ??= this.make(index))
  }

  private make(index: number): GuestFunction {
    const { gate, inCallingThread, missing, observer, plugin, signatures, valueBytes } = this
    const codec = this.functions[index]!
    const own = Context.getOrUndefined(codec.rpc.annotations, Abi.Deadline)
    const allowed = own === undefined ? gate.deadline : Duration.toMillis(own)
    const guestCodec = new GuestCodec(plugin, codec, signatures[index]!, missing, valueBytes)
    const isUnwatched = allowed === Infinity && observer === undefined
    const isDirect = inCallingThread && isUnwatched && Abi.isSync(codec.rpc) && !guestCodec.leftOut
    return { codec: guestCodec, allowed, isDirect }
  }

  nameOf(index: number): string {
    return this.functions[index]!.name
  }

  call(index: number, payload: unknown): Effect.Effect<unknown, unknown> {
    const { leftOut } = this.functionOf(index).codec
    if (leftOut === undefined) return Call.run(this, index, payload)
    if (this.observer === undefined) return leftOut
    return Call.refuse(this, index, payload, new GuestError.MissingExports({ names: [this.nameOf(index)] }))
  }

  /**
   * Calls a sync function on this stack, if its guest can be entered now and nobody limits, replaces, measures or observes the call. The
   * deadline of `context` is not looked at: who has one makes a whole call.
   */
  callDirectly(index: number, payload: unknown, context: Context.Context<never>): DirectOutcome {
    const { current } = this
    const { codec, isDirect } = this.functionOf(index)
    if (!isDirect || current === undefined || this.replacer !== undefined || this.over !== undefined) return notDirect
    if (!this.gate.admission.admitsAll) return notDirect
    // A stack that ended within the entry would leave the guest locked.
    StackRoom.check()
    this.inHand++
    const outcome = current.callDirectly(index, codec, payload, context)
    this.inHand--
    return outcome
  }

  get stats(): Stats {
    const { current } = this
    if (current === undefined) return { ...noStats, calls: this.inHand }
    return { ...current.stats(), calls: this.inHand }
  }

  get busy(): number {
    if (this.over !== undefined) return Infinity
    if (this.current !== undefined && this.current.dead === undefined) return this.inHand
    // Busier than any that is alive.
    return this.replacer === undefined ? Infinity : Number.MAX_SAFE_INTEGER / 2 + this.inHand
  }

  /** Why a caller with this context would wait for ever: for what waits for it. */
  refusal(context: Context.Context<never>): GuestError.Reason | undefined {
    const { current } = this
    // Nothing that could block waits for any other caller.
    const hostFunction =
      this.hostCallOf(context) === undefined ? undefined : (current ?? this.coming)?.blockedBy(context)
    if (hostFunction !== undefined) return new GuestError.WouldDeadlock({ hostFunction })
    if (current === undefined && Preparation.isOf(this, context)) return new GuestError.WaitsForItself()
    return undefined
  }

  /** The call has room: it enters the instance, or waits for the next. */
  enter(call: Call.Call): void {
    const { current, waiting } = this
    call.stopWaiting()
    if (call.isSettled) return
    if (call.place === 0) call.place = ++this.admitted
    if (this.over !== undefined) return call.fail(this.over)
    if (current === undefined || waiting.size > 0 || (current.dead !== undefined && this.replacer !== undefined)) {
      const refusal = this.refusal(call.context)
      if (refusal !== undefined) return call.fail(refusal)
      call.wait(waiting)
      return
    }
    if (current.dead !== undefined) return call.fail(current.dead)
    this.give(call, current)
  }

  private give(call: Call.Call, instance: Instance): void {
    this.taken++
    call.watch = this.watch
    instance.enter(call)
  }

  /** Whether the call waits for the next instance instead of failing as it did in the last. */
  takesBack(call: Call.Call, exit: Exit.Failure<unknown, unknown>, hasBegun: boolean): boolean {
    if (this.replacer === undefined || this.over !== undefined) return false
    if (hasBegun) {
      const reason = GuestError.reasonOf(exit)
      const isVictim = reason?._tag === "ThreadLost" || reason?._tag === "Poisoned"
      if (!isVictim || !Abi.isIdempotent(this.functions[call.index]!.rpc) || call.attempts >= this.replacer.retries) {
        return false
      }
      call.beginAgain()
    }
    call.entered = undefined
    this.enter(call)
    return true
  }

  /** The call has settled, or its caller has left. */
  left(call: Call.Call): void {
    this.inHand--
    call.stopWaiting()
    this.timer.remove(call)
    this.retire()
    const { current, replacer } = this
    if (replacer === undefined || current === undefined || current.dead !== undefined) return
    const because = replacer.isWornOut(current)
    if (because !== undefined) this.recycle(because)
  }

  /** Replaces an instance that is alive. It goes on until the next one is there. */
  recycle(because: string): void {
    if (this.current !== undefined) this.replacer?.replace({ _tag: "Recycled", instance: this.current, because })
  }

  /** Completes when an instance that is used no more has answered its last call. */
  retired(instance: Instance): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const look = () => {
        if (instance.stats().calls > 0) return
        this.retiring.delete(look)
        resume(Effect.void)
      }
      this.retiring.add(look)
      look()
      return Effect.sync(() => this.retiring.delete(look))
    })
  }

  /** A call has left its instance. */
  retire(): void {
    if (this.retiring.size > 0) for (const look of this.retiring) look()
  }

  /** Where the next instance will live, or that it will not: those who wait may be what its thread waits for. */
  place(coming: Instance | undefined): void {
    this.coming = coming
    if (coming === undefined) return
    for (const call of [...this.waiting.members, ...this.outside.members]) {
      const refusal = this.refusal(call.context)
      if (refusal !== undefined) call.fail(refusal)
    }
  }

  /** An instance for all calls from now on, and first for those that wait. */
  use(instance: Instance): void {
    this.current = instance
    this.watch = new Escalation.Watch(this, instance)
    this.coming = undefined
    this.taken = 0
    instance.onDeath((reason) => {
      if (this.current !== instance) return
      // Its executor, or its plugin, was closed.
      if (reason._tag === "Closed") return this.end(reason)
      this.onEvent({ _tag: "Died", reason })
      const died = { _tag: "Died", reason, instance } as const
      if (this.replacer === undefined) this.died = died
      else this.needsAnother(this.replacer, died)
    })
    this.enterWaiting(instance)
  }

  /** It has a supervisor from now on, for whom its instance may have died too early. */
  supervise(replacer: Replacer): void {
    this.replacer = replacer
    if (this.died !== undefined) this.needsAnother(replacer, this.died)
    this.died = undefined
  }

  private needsAnother(replacer: Replacer, died: Died): void {
    this.current = undefined
    this.place(this.coming)
    replacer.replace(died)
  }

  /**
   * Those who wait enter, in the order in which they were admitted: what a call's caller does when it is answered comes
   * after them, and when the instance dies the others wait for the next.
   */
  private enterWaiting(instance: Instance): void {
    while (this.waiting.size > 0) {
      for (const call of this.waiting.members.toSorted((one, other) => one.place - other.place)) {
        if (this.current !== instance || instance.dead !== undefined) return
        // One that was told before it may have made it leave.
        if (call.line !== this.waiting) continue
        call.stopWaiting()
        this.give(call, instance)
      }
    }
  }

  /** No instance will come any more: callers are told at once, and from now on. */
  end(reason: GuestError.Reason): void {
    this.over ??= reason
    for (const call of [...this.waiting.members, ...this.outside.members]) call.fail(this.over)
  }

  close(): void {
    this.end(GuestError.closed)
    this.ownTimer?.close()
  }
}
