/**
 * Where guests run: loads plugins and admits calls to them, so many at once and so many waiting.
 *
 * This is the interface between a plugin and the thread that its guests live on. Values are encoded and decoded once, by
 * the contract's codecs, on the caller's side; a guest's thread sees MessagePack, and of a contract only names and
 * argument kinds. `layer` runs guests in the calling thread. A guest belongs to the scope that loaded it, and to its
 * executor's, whichever ends first.
 */
import * as Admission from "@fiberhost/core/Admission"
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import type * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as GuestError from "./GuestError.ts"
import * as Guest from "./internal/guest/Guest.ts"
import * as GuestCall from "./internal/guest/GuestCall.ts"
import { GuestCodec } from "./internal/guest/GuestCodec.ts"
import * as HostCall from "./internal/guest/HostCall.ts"
import * as Link from "./internal/module/Link.ts"
import * as ModuleCache from "./internal/module/ModuleCache.ts"
import * as PluginModule from "./PluginModule.ts"

export interface Options {
  /** Calls that are active at once, from admission until they settle. Default: unbounded. */
  readonly concurrency?: number
  /** Calls that wait for their turn before more are held back. Default: 100. */
  readonly capacity?: number
  /** What a call finds when as many wait already: it suspends its caller (the default), or fails with `NoRoom`. */
  readonly whenFull?: GuestCall.WhenFull
}

export interface LoadOptions {
  readonly module: PluginModule.Source
  readonly signature: Link.PluginSignature
  /** The codecs of the guest functions, in the order of `signature.exports`. */
  readonly functions: ReadonlyArray<FunctionCodec.FunctionCodec>
  /** The byte faces of the host functions, in the order of `signature.imports`. */
  readonly hosts: ReadonlyArray<HostFunction.Bytes>
  /** Guest functions that the module must not leave out. */
  readonly require: "all" | ReadonlyArray<string>
}

/** A running instance. */
export interface LoadedGuest {
  /** Functions of the contract that the module leaves out. */
  readonly missing: ReadonlyArray<string>
  /**
   * Calls the function at this index of `signature.exports`. Payload, success and failure are the contract's: they are
   * checked by its codecs, so nothing more is known of them here. Everything else fails with a `GuestError`.
   */
  readonly call: (index: number, payload: unknown) => Effect.Effect<unknown, unknown>
  /** Whether it lives in the calling thread, so that a call may be answered before it returns. */
  readonly inCallingThread: boolean
  /** Calls that it has in hand, or infinitely many when it is dead: what balances calls over several guests. */
  readonly busy: () => number
  readonly stats: () => Guest.Stats
}

export class GuestExecutor extends Context.Service<
  GuestExecutor,
  {
    /**
     * A new instance. Fails with `InvalidModule`, `LinkMismatch`, `MissingExports` (a required function is left out),
     * `InstantiationFailed` or `Closed`.
     */
    readonly load: (options: LoadOptions) => Effect.Effect<LoadedGuest, GuestError.GuestError, Scope.Scope>
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
    functions: codecs,
    hosts,
    module: source,
    require,
    signature
  }: LoadOptions): Effect.fn.Return<LoadedGuest, GuestError.GuestError, Scope.Scope> {
    const { plugin } = signature
    const refuse = (reason: GuestError.Reason) => new GuestError.GuestError({ plugin, reason })
    const module = yield* compile(source, plugin)
    const missing = yield* Link.resolve(module.interface, signature, require)

    const context = yield* Effect.context<never>()
    // Looked at in the step that registers the guest: the executor may have closed while the module was compiled.
    const open = Effect.suspend(() =>
      closed
        ? Effect.fail(refuse(new GuestError.Closed()))
        : Effect.try({
            try: () =>
              new Guest.Guest({
                ...PluginModule.instantiable(module),
                signature,
                hosts: hosts.map(HostCall.inThread),
                context
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
    const gate: GuestCall.Gate = { admission, whenFull: options.whenFull ?? "suspend" }
    const functions = codecs.map((codec) => new GuestCodec(plugin, codec, missing))
    return {
      missing,
      call: (index, payload) =>
        functions[index]!.leftOut ?? GuestCall.run(guest, index, functions[index]!, payload, gate),
      inCallingThread: true,
      busy: () => (guest.dead === undefined ? guest.calls.size : Infinity),
      stats: () => guest.stats
    }
  })

  return GuestExecutor.of({ load, drain: admission.drain, stats: () => admission.stats })
})
