/**
 * A call of a host function while it runs, wherever its guest lives: whose it is, how it is interrupted, and how a host
 * function knows on whose behalf it runs.
 *
 * It is owned by the guest call that the guest was entered for, and passes to the guest when that settles first.
 */
import * as Admission from "@fiberhost/core/Admission"
import type * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type { CallObserver, Observation } from "../call/CallObserver.ts"
import type { Signature } from "../module/Signature.ts"
import { Ending } from "./Ending.ts"
import type { HostCalls } from "./HostCalls.ts"

/** A guest call that host calls are made for. */
export interface Owner {
  readonly isSettled: boolean
  readonly signature: { readonly name: string }
  /** The context of the fiber that made it. */
  readonly context: Context.Context<never>
  readonly permit: Admission.Permit | undefined
  readonly hostCalls: HostCalls
  readonly observer: CallObserver | undefined
  /** The last line that the guest logged for it. */
  logged: string | undefined
  /** What the host function that it called last runs in. */
  admitted: Admitted | undefined
}

export interface Admitted {
  readonly implementation: HostFunction.Implementation
  readonly context: Context.Context<never>
}

/** Something that runs, such as a fiber. A closure here would be allocated among what lives long, and keep what dies young. */
export interface Interruptible {
  interruptUnsafe(): void
}

export abstract class RunningHostCall<Call extends Owner = Owner> {
  readonly plugin: string
  readonly signature: Signature
  /** The guest call that waits for it; undefined when there is none, or none any more. */
  owner: Call | undefined
  /** Among the host calls of its owner. */
  place = 0
  /** The context of the fiber whose guest call made it. */
  readonly caller: Context.Context<never>
  private made: Ending | undefined
  protected hasEnded = false
  private readonly observation: Observation | undefined
  private running: Interruptible | undefined
  private interrupted = false
  /** See `syncAround`; null until it is looked for. */
  private foundAround: RunningHostCall | undefined | null = null

  /** `context` is what it runs with when no call owns it. */
  constructor(plugin: string, signature: Signature, owner: Call | undefined, context: Context.Context<never>) {
    this.plugin = plugin
    this.signature = signature
    this.owner = owner?.isSettled === false ? owner : undefined
    this.caller = this.owner?.context ?? context
    this.owner?.hostCalls.add(this)
    this.observation = this.owner?.observer?.onHostCall(this)
  }

  get ending(): Ending {
    this.made ??= new Ending()
    if (this.hasEnded) this.made.come()
    return this.made
  }

  /** What runs nothing until a sync function has answered: its guest, or its guest's thread. */
  protected abstract readonly waits: unknown

  /** What can run nothing until it has ended. Undefined when nothing waits so. */
  get blocks(): unknown {
    return this.signature.sync && !this.hasEnded ? this.waits : undefined
  }

  /** The innermost sync one that it runs in. Found once: calls may be nested thousands deep, and each is asked. */
  get syncAround(): RunningHostCall | undefined {
    if (this.foundAround !== null) return this.foundAround
    let at = Context.get(this.caller, Current)
    while (at !== undefined && !at.signature.sync && at.foundAround === null) at = Context.get(at.caller, Current)
    return (this.foundAround = at === undefined || at.signature.sync ? at : at.foundAround!)
  }

  /** What is done for it outside of its function. */
  get context(): Context.Context<never> {
    return this.observation?.context ?? this.caller
  }

  /**
   * A host function sees the log level that was set around its caller, his references (clock, tracer) where its layer
   * set none, and its guest call.
   */
  contextOf(implementation: HostFunction.Implementation): Context.Context<never> {
    return Context.add(this.admitted(implementation), Current, this)
  }

  /** The implementation's context under its guest call's permit: one for all host functions of a call, where nobody observes them. */
  private admitted(implementation: HostFunction.Implementation): Context.Context<never> {
    const { observation, owner } = this
    if (owner?.permit === undefined) return implementation.context(this.context)
    if (observation !== undefined) return Admission.provide(implementation.context(this.context), owner.permit)
    const { admitted } = owner
    if (admitted?.implementation === implementation) return admitted.context
    const context = Admission.provide(implementation.context(this.context), owner.permit)
    owner.admitted = { implementation, context }
    return context
  }

  /** The function waits for something from now on. Whoever wanted to interrupt it while it began did so for now. */
  begun(running: Interruptible): void {
    this.running = running
    if (this.interrupted) running.interruptUnsafe()
  }

  interrupt(): void {
    this.interrupted = true
    this.running?.interruptUnsafe()
  }

  /**
   * Tells its guest that there will be no answer, although the function has not ended: it was interrupted, and takes its
   * time. Whether the guest waited for one.
   */
  abstract answerInterrupted(): boolean

  /** Those who wait for its end go on. */
  protected come(): void {
    this.hasEnded = true
    this.made?.come()
  }

  /** It has ended: nobody owns it, and it cannot be interrupted. */
  protected leave(exit: Exit.Exit<unknown, unknown>): void {
    this.observation?.end(exit)
    this.owner?.hostCalls.remove(this)
    this.running = undefined
  }
}

/** The host call that the current fiber runs for; forked fibers inherit it. */
export const Current: Context.Reference<RunningHostCall | undefined> = Context.Reference(
  "@fiberhost/wasm-host/CurrentHostCall",
  { defaultValue: (): RunningHostCall | undefined => undefined }
)

/** The host calls that a fiber runs in, the innermost first: its own, that of the guest call around it, and so on. */
export function* hostCallsAround(context: Context.Context<never>): Generator<RunningHostCall> {
  for (let hostCall = Context.get(context, Current); hostCall !== undefined; ) {
    yield hostCall
    hostCall = Context.get(hostCall.caller, Current)
  }
}

/** The sync host function, if any, that the fiber runs in and that blocks what it would wait for. */
export const blockedBy = (context: Context.Context<never>, blocked: unknown): string | undefined => {
  for (let at = Context.get(context, Current); at !== undefined; at = at.syncAround) {
    if (at.blocks === blocked) return at.signature.name
  }
  return undefined
}
