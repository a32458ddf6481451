/**
 * Owner's side: a guest on another thread. Calls of its functions go there, its host functions run here. It ends with
 * the scope that loaded it, or with its thread.
 */
import type * as HostFunction from "@fiberhost/core/HostFunction"
import { Line } from "@fiberhost/core/Line"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as GuestError from "../../GuestError.ts"
import type { Call } from "../call/Call.ts"
import type { Instance, Receipt, Stats } from "../call/Instance.ts"
import { type DirectOutcome, notDirect } from "../guest/DirectCall.ts"
import type { GuestLimits } from "../guest/GuestLimits.ts"
import type { HostExit } from "../host/HostAnswer.ts"
import * as HostAnswer from "../host/HostAnswer.ts"
import * as RunningHostCall from "../host/RunningHostCall.ts"
import type * as Link from "../module/Link.ts"
import * as ControlCall from "./ControlCall.ts"
import * as GuestWire from "./GuestWire.ts"
import { RemoteCall } from "./RemoteCall.ts"
import type { RemoteHostCall } from "./RemoteHostCall.ts"
import type { RemoteThread } from "./RemoteThread.ts"
import * as SharedStats from "./SharedStats.ts"

/** A host function, and what is answered when it has ended so. */
export interface RemoteHost {
  readonly implementation: HostFunction.Implementation
  readonly finish: (exit: Exit.Exit<unknown, unknown>) => HostExit
}

export class RemoteGuest implements Instance {
  readonly inCallingThread = false
  readonly missing: ReadonlyArray<string>
  readonly limits: GuestLimits
  readonly number: number
  readonly thread: RemoteThread
  readonly signature: Link.PluginSignature
  readonly hosts: ReadonlyArray<RemoteHost>
  /** What a host function runs with when no call owns it. */
  readonly context: Context.Context<never>
  readonly sharedStats = SharedStats.memory()
  /** Calls whose callers wait for an answer, entered or not. */
  readonly calls = new Line<RemoteCall>()
  readonly hostCalls = new Line<RemoteHostCall>()
  /** Why nothing is sent to it any more. */
  dead: GuestError.Reason | undefined
  private listener: ((reason: GuestError.Reason) => void) | undefined
  private readonly shared = new Float64Array(this.sharedStats)

  constructor(options: {
    readonly number: number
    readonly thread: RemoteThread
    readonly signature: Link.PluginSignature
    readonly hosts: ReadonlyArray<HostFunction.Implementation>
    readonly context: Context.Context<never>
    readonly missing: ReadonlyArray<string>
    readonly limits: GuestLimits
  }) {
    this.number = options.number
    this.thread = options.thread
    this.signature = options.signature
    this.hosts = options.hosts.map((implementation) => ({
      implementation,
      finish: HostAnswer.finished(implementation)
    }))
    this.context = options.context
    this.missing = options.missing
    this.limits = options.limits
  }

  stats(): Stats {
    const stats = SharedStats.read(this.shared, this.calls.size)
    if (this.dead === undefined) return stats
    // Its thread, which wrote them, may be no more.
    return { ...stats, alive: false, hostCalls: this.hostCalls.size }
  }

  blockedBy(context: Context.Context<never>): string | undefined {
    return RunningHostCall.blockedBy(context, this.thread)
  }

  /** The guest call: the way to the guest's thread, and back. */
  enter(call: Call): void {
    const sent = new RemoteCall(this, call)
    call.entered = sent
    sent.send()
  }

  /** Not called: it is on no stack of this thread. */
  callDirectly(): DirectOutcome {
    return notDirect
  }

  /** Whether it is on its thread's stack, also by its start function. */
  get isEntered(): boolean {
    return SharedStats.isEntered(this.shared)
  }

  /** What tells the entry on the stack from all others, if nobody waits for it. One that was released is another from then on. */
  get stray(): string | undefined {
    // What holds it up for a call is answered when that call's grace time is over.
    if (!this.isEntered || this.thread.blockedBy?.owner !== undefined) return undefined
    const call = this.thread.connection.pendingCall(SharedStats.current(this.shared))
    if (call instanceof RemoteCall && call.guest === this && !call.isSettled) return undefined
    return `${this.number}/${SharedStats.read(this.shared, 0).used.entries}/${this.thread.released}`
  }

  /** A guest of its thread holds up all of them. */
  strayEntry(): string | undefined {
    for (const { stray } of this.thread.guests.values()) if (stray !== undefined) return stray
    return undefined
  }

  receipt(): Receipt {
    const receipt = { isThere: false }
    const answer = ControlCall.run(this.thread.connection, GuestWire.control.receipt, {})
    // Nothing comes of a thread that has ended.
    Effect.runFork(Effect.ignore(answer)).addObserver(() => {
      receipt.isThere = true
    })
    return receipt
  }

  terminate(why: string): boolean {
    return this.thread.terminate(why)
  }

  /** It takes no more calls. Those that its thread has not come to need not wait until it has. */
  died(reason: GuestError.Reason): void {
    this.dead ??= reason
    for (const call of this.calls.members) if (!call.hasBegun) call.fail(this.dead, false)
    const { listener } = this
    this.listener = undefined
    listener?.(this.dead)
  }

  onDeath(listener: (reason: GuestError.Reason) => void): void {
    if (this.dead === undefined) this.listener = listener
    else listener(this.dead)
  }

  /** Its thread has ended, or it is closed: every call settles, every host function is interrupted. */
  end(reason: GuestError.Reason): void {
    this.dead ??= reason
    for (const call of this.calls.members) call.fail(this.dead, call.hasBegun)
    for (const hostCall of this.hostCalls.members) hostCall.interrupt()
    this.died(reason)
  }

  /**
   * Ends it, and waits for its host functions and for its thread to say so. A guest that has not returned after `grace`
   * ends with its thread; one that only waits for another guest of its thread ends when that returns, and is not waited
   * for. A host function that closes its own guest is not waited for either.
   */
  close(grace: Duration.Input): Effect.Effect<void> {
    return Effect.withFiber((self) => {
      const around = new Set(RunningHostCall.hostCallsAround(self.context))
      const except = this.hostCalls.members.filter((hostCall) => around.has(hostCall))
      const others = this.hostCalls.members.filter((hostCall) => !around.has(hostCall))
      const unload = ControlCall.run(this.thread.connection, GuestWire.control.unload, {
        guest: this.number,
        except: except.map(({ id }) => id)
      }).pipe(
        // A thread that has ended has no guests.
        Effect.ignore,
        Effect.andThen(
          Effect.sync(() => {
            this.thread.remove(this)
            this.end(GuestError.closed)
          })
        )
      )
      const ended = Effect.forEach(others, (hostCall) => hostCall.ending.await, { discard: true })
      // It hears of the close before it hears of what the close interrupts, so that it is not entered for that.
      return Effect.flatMap(Effect.forkDetach(unload, { startImmediately: true }), (unloading) => {
        // Of a guest that died its thread says of each call whether it had begun, and then that it is unloaded.
        if (this.dead === undefined) this.end(GuestError.closed)
        else for (const hostCall of this.hostCalls.members) hostCall.interrupt()
        const returned = this.awaitReturn(Fiber.await(unloading), grace)
        if (except.every(({ blocks }) => blocks === undefined)) return Effect.andThen(ended, returned)
        // A thread that waits for the host function which closes it cannot answer before that has ended.
        const closers = Effect.forEach(except, (hostCall) => hostCall.ending.await, { discard: true })
        return Effect.andThen(Effect.forkDetach(Effect.andThen(closers, returned)), ended)
      })
    })
  }

  private awaitReturn(unloaded: Effect.Effect<unknown>, grace: Duration.Input): Effect.Effect<void> {
    return Effect.flatMap(Effect.timeoutOption(unloaded, grace), (done) => {
      if (Option.isSome(done) || !this.isEntered) return Effect.void
      this.thread.terminate(`guest ${this.signature.plugin} did not return when it was closed`)
      return Effect.asVoid(unloaded)
    })
  }
}
