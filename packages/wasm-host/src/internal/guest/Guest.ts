/**
 * One running instance of a plugin: its memory, its calls, its host functions, and whether it may still be entered.
 *
 * A guest is owned by the scope that loaded it and ends with it: calls in flight then fail with `Closed`, its host
 * functions are interrupted and awaited. It dies earlier when it traps, breaks the ABI, or the host unwinds it: the call
 * that it ran for fails with the reason, every other with `Poisoned`, and it is not entered again.
 *
 * The flows through it are each one function: `GuestCall.start` or `DirectCall.run`, and `HostCall.run`.
 */
import * as Foreign from "@fiberhost/core/Foreign"
import type { HostCallError } from "@fiberhost/core/HostCallError"
import { Line } from "@fiberhost/core/Line"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as GuestError from "../../GuestError.ts"
import type { Stats } from "../call/Instance.ts"
import type { HostExit } from "../host/HostAnswer.ts"
import type * as HostCall from "../host/HostCall.ts"
import * as RunningHostCall from "../host/RunningHostCall.ts"
import { AsyncValues } from "../memory/AsyncValues.ts"
import { GuestMemory } from "../memory/GuestMemory.ts"
import * as Link from "../module/Link.ts"
import * as Signature from "../module/Signature.ts"
import { EntryLock } from "./EntryLock.ts"
import type * as GuestCall from "./GuestCall.ts"
import type { Export } from "./GuestCodec.ts"
import * as GuestImports from "./GuestImports.ts"
import type { GuestLimits } from "./GuestLimits.ts"
import { Unresolved } from "./Unresolved.ts"

/** What the guest is on the stack for. */
export interface Entry {
  /** The call that it is entered for; undefined when nobody owns it. */
  readonly call: GuestCall.GuestCall | undefined
  /** The call that it is for, or for which the guest asked for what it brings, when the caller of that has left. */
  readonly leftCall: GuestCall.GuestCall | undefined
}

/** An entry that may wait for its turn. */
export interface Turn extends Entry {
  readonly kind: "resolve" | "call"
  /** Host to guest: what is done on the guest's stack. What it throws is the guest's end. */
  enter(): void
}

export interface Options {
  readonly compiled: WebAssembly.Module
  /** The functions that the module imports, by name. */
  readonly imports: ReadonlyArray<string>
  /** Whether the types of its functions were compared with the contract's. */
  readonly signaturesChecked: boolean
  readonly signature: Link.PluginSignature
  /** The host functions, in the order of `signature.imports`. */
  readonly hosts: ReadonlyArray<HostCall.Host>
  /** What a host function runs with when no call owns it. */
  readonly context: Context.Context<never>
  readonly limits: GuestLimits
  /**
   * Told why a host function has no answer, where the guest was told the Err that the contract names instead. `owner` is the
   * guest call that the function was for, `context` what it ran in.
   */
  readonly onUnheard: (
    error: HostCallError,
    owner: GuestCall.GuestCall | undefined,
    context: Context.Context<never>
  ) => void
  /** Told of what `stats` says anew: before and after each entry, and when a guest that is dead has one host call less. */
  readonly onChange?: (guest: Guest) => void
}

export class Guest {
  readonly signature: Link.PluginSignature
  readonly hosts: ReadonlyArray<HostCall.Host>
  readonly context: Context.Context<never>
  readonly limits: GuestLimits
  private readonly onUnheard: Options["onUnheard"]
  /** The refusals that it has told of since the entry of this number began. */
  private told: { readonly entry: number; readonly refusals: Set<string> } | undefined
  readonly lock = new EntryLock<Turn>((turn) => this.run(turn))
  /** Calls whose callers wait for an answer, entered or not. */
  readonly calls = new Line<GuestCall.GuestCall>()
  readonly unresolved = new Unresolved()
  readonly hostCalls = new Line<HostCall.HostCall>()
  /** Why host functions were not started, by name. */
  readonly refusals = new Map<string, HostExit>()
  readonly memory: GuestMemory
  readonly asyncValues: AsyncValues
  private readonly exports: WebAssembly.Exports
  private readonly functions: Array<Export | undefined> = []
  readonly resolve: (asyncValue: bigint, answer: bigint) => void
  abandoned = 0
  readonly used = { entries: 0, hostCalls: 0, inside: 0 }
  /** Told why it died, once, after its calls. */
  onDeath: ((reason: GuestError.Reason) => void) | undefined
  /** Why it must not be entered. */
  dead: GuestError.Reason | undefined
  /** What it is on the stack for. */
  private entry: Entry | undefined
  /** What was thrown through the guest's frames: a guest that catches exceptions does not go on. */
  unwinding: unknown
  private readonly signaturesChecked: boolean
  /** Says that its statistics have changed. */
  readonly changed: ((guest: Guest) => void) | undefined
  /** Calls that have their exits, and whose callers are not resumed yet. */
  private readonly settled = new Line<GuestCall.GuestCall>()
  private delivering = false

  /** Throws what the engine throws when no instance can be made, or the module's start function fails. */
  constructor(options: Options) {
    this.signature = options.signature
    this.hosts = options.hosts
    this.context = options.context
    this.limits = options.limits
    this.onUnheard = options.onUnheard
    this.signaturesChecked = options.signaturesChecked
    this.changed = options.onChange
    const exports = this.instantiate(options)
    const functionOf = (name: string) => exports[name] as ((...args: Array<number | bigint>) => never) | undefined
    this.exports = exports
    this.memory = new GuestMemory(
      exports["memory"] as WebAssembly.Memory,
      functionOf("__fp_malloc")!,
      functionOf("__fp_free")!,
      options.limits.valueBytes
    )
    this.asyncValues = new AsyncValues(this.memory)
    this.resolve = functionOf(Link.guestResolve)!
  }

  /** Its start function has no memory here yet: a host function that needs some ends it, and may have begun. */
  private instantiate({ compiled, imports }: Options): WebAssembly.Exports {
    try {
      const { exports } = new WebAssembly.Instance(compiled, GuestImports.make(this, imports))
      // Its start function has caught what the host threw.
      if (this.unwinding !== undefined) throw this.unwinding
      return exports
    } catch (error) {
      this.dead = GuestError.closed
      this.settleAll()
      throw startFaultOf(error)
    }
  }

  /** The guest function of this index of the contract, which is not missing. */
  exportOf(index: number): Export {
    return this.functions[index] ?? this.findExport(index)
  }

  private findExport(index: number): Export {
    const signature = this.signature.exports[index]!
    const run = this.exports[Link.functionPrefix + signature.name] as Export
    return (this.functions[index] = this.signaturesChecked ? run : answering(run, signature))
  }

  get stats(): Stats {
    return {
      calls: this.calls.size,
      hostCalls: this.hostCalls.size,
      abandoned: this.abandoned,
      heldAsyncValues: this.asyncValues.held,
      memory: this.memory.byteLength,
      alive: this.dead === undefined,
      used: { ...this.used }
    }
  }

  /**
   * Runs one entry, now or when the stack is empty. Callers that the entry settled are resumed after it, so that their code
   * never runs on the guest's stack.
   */
  enter(turn: Turn): void {
    const { lock } = this
    if (!lock.take()) return lock.wait(turn.kind, turn)
    this.run(turn)
    lock.release()
    this.deliver()
  }

  private run(turn: Turn): void {
    if (this.dead !== undefined) return
    const { call } = turn
    const usage = call?.usage
    usage?.enter()
    this.begin(turn)
    try {
      turn.enter()
      if (this.unwinding !== undefined) throw this.unwinding
      this.asyncValues.sweep()
    } catch (error) {
      this.poison(error, call)
    } finally {
      if (usage !== undefined) this.used.inside += usage.leave()
      this.end()
    }
  }

  /** An entry comes on the stack, which its caller has the lock for. */
  begin(entry: Entry): void {
    this.entry = entry
    this.used.entries++
    this.changed?.(this)
  }

  /** It has left the stack. */
  end(): void {
    this.entry = undefined
    this.changed?.(this)
  }

  /** Whether it is on the stack. */
  get entered(): boolean {
    return this.entry !== undefined
  }

  /** The call that the entry on the stack runs for. */
  get current(): GuestCall.GuestCall | undefined {
    return this.entry?.call
  }

  /** That call, while its caller waits. */
  get owner(): GuestCall.GuestCall | undefined {
    const { current } = this
    return current?.isSettled === false ? current : undefined
  }

  /** The call that it is on the stack for, when its caller has left. */
  get leftCall(): GuestCall.GuestCall | undefined {
    return this.entry?.leftCall
  }

  /** Resumes the caller of a call that has its exit, now or once the stack is empty. */
  settle(call: GuestCall.GuestCall): void {
    this.settled.push(call)
    this.deliver()
  }

  /** Why a host function has no answer; why it was not started, once until the next entry: a guest may ask a million times. */
  tellUnheard(error: HostCallError, owner: GuestCall.GuestCall | undefined, context: Context.Context<never>): void {
    const { _tag } = error.reason
    if (_tag === "TooManyHostCalls" || _tag === "ArgumentsRefused") {
      const refusal = `${error.function} ${_tag}`
      if (this.told?.entry !== this.used.entries) this.told = { entry: this.used.entries, refusals: new Set() }
      const { refusals } = this.told
      if (refusals.has(refusal)) return
      refusals.add(refusal)
    }
    this.onUnheard(error, owner, context)
  }

  /** The instance is dead: its culprit fails with what happened, every other call with whose fault it was. */
  poison(error: unknown, culprit: GuestCall.GuestCall | undefined): void {
    const reason = this.reasonOf(error, culprit)
    const detail = reason === undefined ? `a bug in the host: ${Foreign.textOf(error)}` : GuestError.describe(reason)
    this.dead ??= new GuestError.Poisoned({ by: culprit?.signature.name ?? "a task that no call owns", detail })
    if (reason === undefined) culprit?.die(error)
    else culprit?.fail(reason)
    this.settleAll()
  }

  /**
   * Settles every call, interrupts every host function, and waits for them. Idempotent. A host function that closes its
   * own guest, also from a fiber that it forked, is not waited for: it would wait for itself.
   */
  readonly close: Effect.Effect<void> = Effect.withFiber((self) => {
    const around = new Set(RunningHostCall.hostCallsAround(self.context))
    return this.closeBut((hostCall) => around.has(hostCall))
  })

  /** As `close`, but for host functions that are not to be waited for. */
  closeBut(excluded: (hostCall: HostCall.HostCall) => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.dead ??= GuestError.closed
      const others = this.hostCalls.members.filter((hostCall) => !excluded(hostCall))
      this.settleAll()
      this.deliver()
      return Effect.forEach(others, (hostCall) => hostCall.ending.await, { discard: true })
    })
  }

  /** What ended an entry: a fault that the host found, a trap of the engine's, or (undefined) a bug of ours. */
  private reasonOf(error: unknown, culprit: GuestCall.GuestCall | undefined): GuestError.Reason | undefined {
    if (error instanceof GuestError.GuestFault) return error.reason
    // A value of another WebAssembly type went in or came out: only possible where nobody could check the signatures.
    if (!this.signaturesChecked && (error instanceof TypeError || error instanceof SyntaxError)) {
      return new GuestError.ProtocolViolation({
        detail: `its signatures are not the contract's (${error.message}). Load it from bytes to have them checked`
      })
    }
    const detail = trapOf(error)
    if (detail === undefined) return undefined
    return new GuestError.Trapped({
      detail,
      ...(culprit?.logged === undefined ? {} : { logged: culprit.logged }),
      pending: culprit?.hostCalls.size ?? 0
    })
  }

  private settleAll(): void {
    for (let call = this.calls.first; call !== undefined; call = this.calls.first) call.fail(this.dead!)
    this.unresolved.clear()
    for (const hostCall of this.hostCalls.members) hostCall.interrupt()
    const { onDeath } = this
    this.onDeath = undefined
    onDeath?.(this.dead!)
  }

  /** Whether what is on the stack has left something to do, or to find out, before the guest can be left. */
  get needsFinish(): boolean {
    return this.unwinding !== undefined || this.asyncValues.held > 0
  }

  /** Resumes callers whose calls the guest has settled, unless it is on the stack. */
  deliver(): void {
    if (this.settled.size > 0) this.resumeSettled()
  }

  /** A resumed caller may enter the guest again, and settle others: they are resumed by the loop that is running. */
  private resumeSettled(): void {
    if (this.delivering || this.lock.isHeld) return
    this.delivering = true
    for (let call = this.settled.shift(); call !== undefined; call = this.settled.shift()) Foreign.tell(resume, call)
    this.delivering = false
  }
}

/** The function, held to the type of what it answers: the engine compares what goes in with its own, and nothing that comes out. */
const answering =
  (run: Export, { result }: Signature.Signature): Export =>
  (...raws) => {
    const answer = run(...raws)
    const due = result === "void" ? "undefined" : Signature.valueTypeOf(result) === "i64" ? "bigint" : "number"
    if (typeof answer === due) return answer
    throw new TypeError(`it answers ${typeof answer}, not ${due}`)
  }

const resume = (call: GuestCall.GuestCall): void => call.caller.exited(call.takeExit()!, call.hasBegun)

/** What ended a start function, where the error itself does not say it. */
const startFaultOf = (error: unknown): unknown => {
  if (error instanceof TypeError) {
    const detail = "its start function called a host function that passes values through its memory"
    return new GuestError.GuestFault(new GuestError.ProtocolViolation({ detail }))
  }
  if (error instanceof WebAssembly.Exception) return "its start function threw an exception"
  return error
}

/** What the engine says of the guest's end; undefined when it was not the guest's. */
const trapOf = (error: unknown): string | undefined => {
  if (error instanceof WebAssembly.Exception) return "it threw an exception that reached the host"
  // A RangeError is the guest's recursion at the end of the stack.
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError ? error.message : undefined
}
