/**
 * Where guests run: loads plugins and admits calls to them, so many at once and so many waiting.
 *
 * This is the interface between a plugin and the thread that its guests live on. Values are encoded and decoded once, by
 * the contract's codecs, on the caller's side; a guest's thread sees MessagePack, and of a contract only names and
 * argument kinds. `layer` runs guests in the calling thread. A guest belongs to the scope that loaded it, and to its
 * executor's, whichever ends first.
 */
import * as Admission from "@fiberhost/core/Admission"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as GuestError from "./GuestError.ts"
import * as CallGate from "./internal/call/CallGate.ts"
import type { Instance } from "./internal/call/Instance.ts"
import * as Guest from "./internal/guest/Guest.ts"
import { GuestInstance } from "./internal/guest/GuestInstance.ts"
import * as GuestLimits from "./internal/guest/GuestLimits.ts"
import * as InThreadHost from "./internal/host/InThreadHost.ts"
import * as Link from "./internal/module/Link.ts"
import * as ModuleCache from "./internal/module/ModuleCache.ts"
import * as PluginModule from "./PluginModule.ts"

export interface Options extends CallGate.Options {
  /** Calls that are active at once, from admission until they settle. Default: unbounded. */
  readonly concurrency?: number
  /** Calls that wait for their turn before more are held back. Default: 100. */
  readonly capacity?: number
}

/** What one guest may use at most. Default: no limit but the ABI's. */
export interface Limits {
  /**
   * Bytes of linear memory, in whole pages of 64 KiB. It binds the guest itself, which sees an allocation fail; a module
   * that comes compiled has its limits already, and is refused. Tables and garbage-collected objects are not counted.
   */
  readonly memory?: number | undefined
  /** Async host functions that have not ended. One more is not started: the guest gets its Err, or the call fails. */
  readonly hostCalls?: number | undefined
  /**
   * Bytes of one value, as encoded, in either direction. At most, and by default, 16 MiB less one byte. A sync host function
   * whose argument or answer is longer has no answer, which is the guest's end unless its contract names an Err.
   */
  readonly valueBytes?: number | undefined
}

export interface LoadOptions {
  readonly module: PluginModule.Source
  readonly signature: Link.PluginSignature
  /** The host functions, in the order of `signature.imports`. */
  readonly hosts: ReadonlyArray<HostFunction.Implementation>
  /** Guest functions that the module must not leave out. */
  readonly require: "all" | ReadonlyArray<string>
  readonly limits: Limits
  /** Told of the instance as soon as it is known where it will live. On another thread that is before it is made. */
  readonly onPlace?: ((instance: Instance) => void) | undefined
}

export class GuestExecutor extends Context.Service<
  GuestExecutor,
  {
    /**
     * A new instance. Fails with `InvalidModule`, `MemoryLimitRefused`, `LinkMismatch`, `MissingExports` (a required function is left out),
     * `InstantiationFailed` or `Closed`; on threads also with `ThreadLost`, `DeadlineExceeded` or `WouldDeadlock`.
     */
    readonly load: (options: LoadOptions) => Effect.Effect<Instance, GuestError.GuestError, Scope.Scope>
    /** What calls to its guests pass, and what is done about those that are left. */
    readonly gate: CallGate.CallGate
    /** Takes no new call and completes when those that are in have settled. */
    readonly drain: Effect.Effect<void>
    readonly stats: () => Admission.Stats
  }
>()("@fiberhost/wasm-host/GuestExecutor") {}

/** Guests run in the calling thread. A guest that does not return holds it up: nothing else runs meanwhile. */
export const layer = (options: Options = {}): Layer.Layer<GuestExecutor> => Layer.effect(GuestExecutor, make(options))

/** What `layer` provides, for as long as the scope. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<GuestExecutor["Service"], never, Scope.Scope> {
  const scope = yield* Effect.scope
  const admission = Admission.make(options)
  const guests = new Set<Guest.Guest>()
  let closed = false
  yield* Scope.addFinalizer(
    scope,
    Effect.suspend(() => {
      closed = true
      admission.close()
      // All at once: a host function of one may wait for another.
      return Effect.forEach(guests, (guest) => guest.close, { concurrency: "unbounded", discard: true })
    })
  )
  const compile = yield* ModuleCache.make

  const load = Effect.fnUntraced(function* ({
    hosts,
    limits,
    module: source,
    onPlace,
    require,
    signature
  }: LoadOptions): Effect.fn.Return<Instance, GuestError.GuestError, Scope.Scope> {
    const { plugin } = signature
    const guestLimits = GuestLimits.of(limits)
    const refuse = (reason: GuestError.Reason) => new GuestError.GuestError({ plugin, reason })
    const module = yield* compile(source, plugin, limits.memory)
    const missing = yield* Link.resolve(module.interface, signature, require)

    const context = HostFunction.withoutCaller(yield* Effect.context<never>())
    // Looked at in the step that registers the guest: the executor may have closed while the module was compiled.
    const open = Effect.suspend(() =>
      closed
        ? Effect.fail(refuse(GuestError.closed))
        : Effect.try({
            try: () =>
              new Guest.Guest({
                ...PluginModule.instantiable(module),
                signature,
                hosts: hosts.map(InThreadHost.make),
                context,
                limits: guestLimits,
                onUnheard: (error, _owner, context) => void Effect.runForkWith(context)(Effect.logError(error))
              }),
            catch: (error) => refuse(new GuestError.InstantiationFailed({ detail: String(error) }))
          })
    )
    const guest = yield* Effect.acquireRelease(
      Effect.tap(open, (guest) => Effect.sync(() => guests.add(guest))),
      (guest) =>
        Effect.ensuring(
          guest.close,
          Effect.sync(() => guests.delete(guest))
        )
    )
    const instance = new GuestInstance(guest, missing, admission)
    onPlace?.(instance)
    return instance
  })

  const context = yield* Effect.context<never>()
  let warned = false
  const warn = () => {
    if (warned) return
    warned = true
    Effect.runForkWith(context)(
      Effect.logWarning(
        "A call has a deadline, and its guest runs in the application's thread: its caller is told in time, but nothing can " +
          "stop a guest there that does not return. Run it on a thread of its own: NodeGuestThread.layer()"
      )
    )
  }
  const gate = CallGate.make(admission, options, warn)
  return GuestExecutor.of({ load, gate, drain: admission.drain, stats: () => admission.stats })
})
