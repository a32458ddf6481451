/**
 * A plugin as an ordinary Effect service: its contract, and typed functions over a running guest.
 *
 * The contract says what the guest offers (`exports`) and what it needs (`imports`). Values are encoded and decoded
 * here, once, by the contract's schemas; what runs the guest sees bytes. A guest lives in the scope of `make` or
 * `layer`. Its state is its own: two guests of one plugin share nothing but code.
 */
import { CodecError, Unsupported } from "@fiberhost/core/CodecError"
import * as Count from "@fiberhost/core/Count"
import * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import type * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Abi from "./Abi.ts"
import * as GuestError from "./GuestError.ts"
import type * as GuestExecutor from "./GuestExecutor.ts"
import type * as HostFunctions from "./HostFunctions.ts"
import * as Events from "./internal/call/Events.ts"
import type { Stats } from "./internal/call/Instance.ts"
import { loadGuest } from "./internal/call/LoadGuest.ts"
import * as PluginDouble from "./internal/call/PluginDouble.ts"
import type { PluginGuest } from "./internal/call/PluginGuest.ts"
import { isNoAnswer } from "./internal/guest/DirectCall.ts"
import type * as Link from "./internal/module/Link.ts"
import * as Signature from "./internal/module/Signature.ts"
import type * as PluginModule from "./PluginModule.ts"
import type * as Supervisor from "./Supervisor.ts"

export type { Stats } from "./internal/call/Instance.ts"

/** A guest function: its own failures typed by its contract, everything else a `GuestError`. */
export type GuestFunction<R extends Rpc.Any> = (
  ...payload: [Rpc.Payload<R>] extends [void] ? [] : [payload: Rpc.Payload<R>]
) => Effect.Effect<Rpc.Success<R>, Rpc.Error<R> | GuestError.GuestError>

/** The guest functions of a contract, by tag, and the synchronous twins of those that the contract declares sync. */
export type Functions<R extends Rpc.Any> = {
  readonly [Current in R as Current["_tag"]]: GuestFunction<Current>
} & {
  readonly [Current in Extract<
    R,
    { readonly "~fiberhost/sync": true }
  > as `${Current["_tag"]}Unsafe`]: SyncGuestFunction<Current>
}

/**
 * The twin of a sync guest function for code outside Effect. Throws what the function would fail with, and a
 * `GuestError` (reason `Busy`) when it cannot be answered at once: the executor is full, the guest is being replaced, or it is on the stack or
 * on another thread.
 */
export type SyncGuestFunction<R extends Rpc.Any> = (
  ...payload: [Rpc.Payload<R>] extends [void] ? [] : [payload: Rpc.Payload<R>]
) => Rpc.Success<R>

/** The value of a plugin's service: its guest functions, and under a symbol what `missing`, `stats` and `health` read. */
export type Plugin<R extends Rpc.Any> = Functions<R> & { readonly [TypeId]: Inside }

const TypeId: unique symbol = Symbol.for("~fiberhost/wasm-host/Plugin")

/** Its fields are private, so that whatever prints a plugin (a formatter, a test's difference) does not go through its guests. */
class Inside {
  readonly #guests: ReadonlyArray<PluginGuest>
  readonly #health: Stream.Stream<Supervisor.Event>

  constructor(guests: ReadonlyArray<PluginGuest>, health: Stream.Stream<Supervisor.Event>) {
    this.#guests = guests
    this.#health = health
  }

  get guests() {
    return this.#guests
  }

  get health() {
    return this.#health
  }
}

export interface MakeOptions<R extends Rpc.Any, E = never, Env = never> {
  /** The plugin's code, or an Effect that gets it. */
  readonly module: PluginModule.Source | Effect.Effect<PluginModule.Source, E, Env>
  /** Guest functions that the module must not leave out. Default: none, each fails when called. */
  readonly require?: "all" | ReadonlyArray<R["_tag"]>
  /** What is done when its guest dies or wears out. Default: nothing, a dead guest stays dead. */
  readonly supervisor?: Supervisor.Policy | undefined
  /**
   * Runs on each replacement before any call does: what gives it the state that the dead guest had. If it fails the
   * replacement is not used, and the policy is asked again. It calls the plugin that it is given: a call of the one that is
   * being replaced would wait for it, and fails with `WaitsForItself`.
   */
  readonly onReplace?: ((plugin: Functions<R>) => Effect.Effect<void, unknown>) | undefined
  /** What its guest may use at most. */
  readonly limits?: GuestExecutor.Limits | undefined
}

export interface LayerOptions<R extends Rpc.Any, E = never, Env = never> extends MakeOptions<R, E, Env> {
  /** How many instances share the calls, 1 or more; each call goes to the least busy one that is alive. Default: 1. */
  readonly instances?: number
}

/** What a plugin's class is: the service's key, the contract, and what makes values of it. */
export interface ServiceClass<Self, Id extends string, Imports, R extends Rpc.Any>
  extends Context.ServiceClass<Self, Id, Plugin<R>> {
  readonly exports: ReadonlyArray<R>
  /** One guest, for as long as the scope: as many as wanted, each with its own memory. */
  readonly make: <E = never, Env = never>(
    options: MakeOptions<R, E, Env>
  ) => Effect.Effect<Plugin<R>, GuestError.GuestError | E, GuestExecutor.GuestExecutor | Imports | Scope.Scope | Env>
  /** The service over one guest, or over several for functions that keep no state. */
  readonly layer: <E = never, Env = never>(
    options: LayerOptions<R, E, Env>
  ) => Layer.Layer<Self, GuestError.GuestError | E, GuestExecutor.GuestExecutor | Imports | Exclude<Env, Scope.Scope>>
  /**
   * A double without WebAssembly, for tests of what uses the plugin. Values cross the contract's codecs as a guest's do,
   * so a test cannot pass with a value that a guest could not be sent. A function left out fails with `MissingExports`.
   */
  readonly layerTest: <H extends Partial<HostFunction.Handlers<R>>>(
    functions: H & HostFunction.Exactly<H, R>
  ) => Layer.Layer<Self, never, HostFunction.Services<H>>
}

/**
 * Declares a plugin: `class Reporter extends Plugin.Service<Reporter>()("app/Reporter", { imports: Imports, exports: [
 * Rpc.make("report", ..)] }) {}`. Throws a `CodecError` (reason `Unsupported`) when a function cannot travel.
 */
export const Service =
  <Self>() =>
  <const Id extends string, const Rpcs extends ReadonlyArray<Rpc.Any>, Imports = never>(
    id: Id,
    contract: {
      readonly imports?: HostFunctions.Any<Imports>
      readonly exports: Rpcs & { readonly [K in keyof Rpcs]: FunctionCodec.SupportedAsExport<Rpcs[K]> }
    }
  ): ServiceClass<Self, Id, Imports, Rpcs[number]> => {
    type R = Rpcs[number]
    const service = Context.Service<Self, Plugin<R>>()(id)
    const codecs = FunctionCodec.makeAll(contract.exports)
    FunctionCodec.refusePromise(codecs, "the plugin")
    const guestFunctions = Array.from(codecs.values())
    const names = guestFunctions.map(({ name, rpc }): FunctionNames => {
      const twin = Abi.isSync(rpc) ? `${name}Unsafe` : undefined
      if (twin !== undefined && codecs.has(twin)) throw twinTaken(twin)
      return { name, twin }
    })
    const shape = shapeOf(id, names)
    const signature: Link.PluginSignature = {
      plugin: id,
      imports: contract.imports?.signatures ?? [],
      exports: guestFunctions.map(Signature.make)
    }

    const make = Effect.fnUntraced(function* <E = never, Env = never>(
      options: LayerOptions<R, E, Env>
    ): Effect.fn.Return<
      Plugin<R>,
      GuestError.GuestError | E,
      GuestExecutor.GuestExecutor | Imports | Scope.Scope | Env
    > {
      const instances = Count.finite("instances", options.instances ?? 1, 1)
      const functions: HostFunctions.HostFunctions =
        contract.imports === undefined ? new Map() : yield* contract.imports
      const hosts = signature.imports.map(({ name }) => functions.get(name)!)
      const module = isEffect(options.module) ? yield* options.module : options.module
      const events = yield* Events.make
      const { limits = {}, onReplace, require = [], supervisor } = options
      const guests = yield* Effect.forEach(Array.from({ length: instances }).keys(), (instance) =>
        loadGuest({
          module,
          signature,
          functions: guestFunctions,
          hosts,
          require,
          limits,
          supervisor,
          onReplace: onReplace && ((guest) => onReplace(typed<R>(shape, [guest], Stream.empty))),
          onEvent: (incident) => events.publish({ instance, ...incident })
        })
      )
      return typed<R>(shape, guests, events.stream)
    })

    const layer: ServiceClass<Self, Id, Imports, R>["layer"] = (options) => Layer.effect(service, make(options))

    const layerTest: ServiceClass<Self, Id, Imports, R>["layerTest"] = (functions) =>
      Layer.effect(
        service,
        Effect.map(PluginDouble.make(id, codecs, functions), (guest) => typed<R>(shape, [guest], Stream.empty))
      )

    return Object.assign(service, { exports: contract.exports, make, layer, layerTest })
  }

const twinTaken = (path: string): CodecError =>
  new CodecError({
    direction: "encode",
    path,
    reason: new Unsupported({ hint: "It is the name of a sync function's synchronous twin: rename one of them." })
  })

/** Functions of the contract that the plugin's module leaves out. */
export const missing = <R extends Rpc.Any>(plugin: Plugin<R>): ReadonlyArray<string> =>
  plugin[TypeId].guests[0]?.missing ?? []

/** What each guest of the plugin has in hand now, and what its instance has used so far. */
export const stats = <R extends Rpc.Any>(plugin: Plugin<R>): ReadonlyArray<Stats> =>
  plugin[TypeId].guests.map(({ stats }) => stats)

/**
 * What happens to the plugin's guests from now on. Never fails, and ends with the plugin. A reader that falls behind by
 * more than 256 events misses the oldest.
 */
export const health = <R extends Rpc.Any>(plugin: Plugin<R>): Stream.Stream<Supervisor.Event> => plugin[TypeId].health

/** What all values of a plugin's class have in common. */
interface Shape {
  readonly plugin: string
  readonly names: ReadonlyArray<FunctionNames>
  /**
   * All keys of a value, not set. A value begins as its copy: one that gets key after key becomes a hash table in the engine, which takes
   * twice the time and memory to make, and whose functions are slower to call.
   */
  readonly unset: Readonly<Record<string | symbol, undefined>>
}

const shapeOf = (plugin: string, names: ReadonlyArray<FunctionNames>): Shape => {
  const keys = names.flatMap(({ name, twin }) => (twin === undefined ? [name] : [name, twin]))
  return { plugin, names, unset: Object.fromEntries([TypeId, ...keys].map((key) => [key, undefined])) }
}

/** How a function of the contract is called: the name of its twin, if it is sync. */
interface FunctionNames {
  readonly name: string
  readonly twin: string | undefined
}

/** Caller's side: the functions of a plugin over its guests. None reads `this`, since callers destructure a plugin. */
const typed = <R extends Rpc.Any>(
  { names, plugin, unset }: Shape,
  guests: ReadonlyArray<PluginGuest>,
  health: Stream.Stream<Supervisor.Event>
): Plugin<R> => {
  const only = guests.length === 1 ? guests[0]! : undefined
  const functions: Record<string | symbol, unknown> = { ...unset }
  functions[TypeId] = new Inside(guests, health)
  for (let index = 0; index < names.length; index++) {
    const { name, twin } = names[index]!
    functions[name] = only === undefined ? callOfLeastBusy(guests, index) : callOf(only, index)
    if (twin !== undefined) functions[twin] = twinOf(plugin, name, guests, index)
  }
  return functions as Plugin<R>
}

const callOf = (guest: PluginGuest, index: number) => (payload: unknown) => guest.call(index, payload)

const callOfLeastBusy = (guests: ReadonlyArray<PluginGuest>, index: number) => (payload: unknown) =>
  Effect.suspend(() => leastBusy(guests).call(index, payload))

const twinOf =
  (plugin: string, name: string, guests: ReadonlyArray<PluginGuest>, index: number) => (payload: unknown) =>
    callOnStack(plugin, name, leastBusy(guests), index, payload)

/** A twin's call: on this stack, or as a whole call. */
const callOnStack = (plugin: string, name: string, guest: PluginGuest, index: number, payload: unknown): unknown => {
  const outcome = guest.callDirectly(index, payload, noContext)
  if (!isNoAnswer(outcome)) return outcome
  if (outcome.exit !== undefined) return Effect.runSync(outcome.exit)
  return callWholly(plugin, name, guest, index, payload)
}

/** A twin's call that cannot be direct: it is answered before this returns, or is `Busy`. */
const callWholly = (plugin: string, name: string, guest: PluginGuest, index: number, payload: unknown): unknown => {
  // A guest on another thread would be entered all the same, later and for nobody.
  const fiber = guest.inCallingThread ? Effect.runFork(guest.call(index, payload)) : undefined
  const exit = fiber?.pollUnsafe()
  if (exit !== undefined) return Effect.runSync(exit)
  // Nobody would take the answer.
  fiber?.interruptUnsafe()
  throw new GuestError.GuestError({ plugin, function: name, reason: new GuestError.Busy() })
}

const noContext = Context.empty()

/** Narrows without losing the Effect's own types. */
const isEffect = <A, E, Env>(value: A | Effect.Effect<A, E, Env>): value is Effect.Effect<A, E, Env> =>
  Effect.isEffect(value)

const leastBusy = (guests: ReadonlyArray<PluginGuest>): PluginGuest => {
  let chosen = guests[0]!
  if (guests.length === 1) return chosen
  for (let i = 1, least = chosen.busy; i < guests.length && least > 0; i++) {
    const { busy } = guests[i]!
    if (busy < least) {
      chosen = guests[i]!
      least = busy
    }
  }
  return chosen
}
