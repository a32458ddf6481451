/**
 * Host functions behind a bound: how many run at once, how many may wait.
 *
 * A pool is a service made from a group of `Rpc`s. Its functions are called directly by an application, and are given
 * to a plugin as host functions, where the guest's bytes reach them undecoded. Which threads they run on is a choice
 * of layer: `layer` here runs them in the calling thread, `ThreadPool.layer` over threads. The pool owns its tasks: they
 * end with the layer's scope.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Codec from "./Codec.ts"
import type * as Executor from "./Executor.ts"
import * as FunctionCodec from "./FunctionCodec.ts"
import * as HostFunction from "./HostFunction.ts"
import type { Channels } from "./internal/blocking/Channels.ts"
import type { Handle } from "./internal/blocking/Handle.ts"
import * as CallingThread from "./internal/pool/CallingThread.ts"
import * as PoolBackend from "./internal/pool/PoolBackend.ts"
import type { ThreadError } from "./Thread.ts"

export type { CallOptions, Stats } from "./internal/pool/PoolBackend.ts"

/** A function of a pool: suspends its caller while there is no room. `try` fails with `NoRoom` instead. */
export type PoolFunction<R extends Rpc.Any> = HostFunction.HostFunction<R> & {
  readonly try: HostFunction.Handler<R, never>
}

/** The functions of a pool, by tag, and under a symbol what `stats`, `drain` and `promises` use. */
export type Functions<R extends Rpc.Any> = {
  readonly [Current in R as Current["_tag"]]: PoolFunction<Current>
} & { readonly [BackendTypeId]: Backend<R> }

interface Backend<in out R extends Rpc.Any> {
  /** The contract's. */
  readonly key: string
  readonly backend: PoolBackend.PoolBackend
  readonly codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>
  readonly "~functions": (_: R) => R
}

const BackendTypeId: unique symbol = Symbol.for("~fiberhost/core/HostPool/backend")

/** The implementation of a pool's functions, where they run: what `toLayer` provides and a runner serves. */
export interface Handlers<in out Self> {
  readonly "~fiberhost/core/HostPool/handlers": (_: Self) => Self
}

/** What each thread of a pool is told at its start. */
export interface Initial<in out Self> {
  readonly "~fiberhost/core/HostPool/initial": (_: Self) => Self
}

/** What a pool's class is: the service's key, its contract, and the layers that implement it. */
export interface ServiceClass<Self, Id extends string, R extends Rpc.Any, Init>
  extends Context.ServiceClass<Self, Id, Functions<R>> {
  readonly codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>
  readonly initialCodec: Codec.Codec<Init>
  /** `yield*` it where handlers are made: the value that the pool's layer was given for its threads. */
  readonly initial: Context.Key<Initial<Self>, Init>
  /** The key under which a runner finds the handlers. */
  readonly handlers: Context.Key<Handlers<Self>, ReadonlyMap<string, HostFunction.Implementation>>
  /** Implements the functions where they run, on a thread of the pool: for each an Effect of its payload, or a Stream. */
  readonly toLayer: <H extends HostFunction.Handlers<R>, E = never, Env = never>(
    handlers: (H & HostFunction.Exactly<H, R>) | Effect.Effect<H & HostFunction.Exactly<H, R>, E, Env>
  ) => Layer.Layer<Handlers<Self>, E, Env | HostFunction.Services<H>>
  /**
   * Runs the handlers in the calling thread. `concurrency`: how many run at once (default unbounded); `capacity`: how
   * many wait before callers are suspended (default 100).
   */
  readonly layer: <H extends HostFunction.Handlers<R>, E = never, Env = never>(
    handlers: (H & HostFunction.Exactly<H, R>) | Effect.Effect<H & HostFunction.Exactly<H, R>, E, Env>,
    options?: Executor.Options
  ) => Layer.Layer<Self, E, Env | HostFunction.Services<H>>
}

/** Any pool's class, as layers over threads and runners refer to it. */
export type Any<Self, R extends Rpc.Any, Init> = Context.Key<Self, Functions<R>> &
  Pick<ServiceClass<Self, string, R, Init>, "codecs" | "initialCodec" | "initial" | "handlers" | "key">

/**
 * Declares a pool: `class Hashing extends HostPool.Service<Hashing>()("app/Hashing", [Rpc.make("sha256", ..)]) {}`.
 * `initial`: the schema of a value that each thread is given before its handlers are made.
 * Throws a `CodecError` when a function cannot travel.
 */
export const Service =
  <Self>() =>
  <const Id extends string, const Rpcs extends ReadonlyArray<Rpc.Any>, Init = void>(
    id: Id,
    functions: Rpcs & { readonly [K in keyof Rpcs]: FunctionCodec.SupportedByPool<Rpcs[K]> },
    options?: { readonly initial?: Schema.ConstraintCodec<Init, unknown> }
  ): ServiceClass<Self, Id, Rpcs[number], Init> => {
    type R = Rpcs[number]
    const codecs = FunctionCodec.makeAll(functions, { streams: true })
    FunctionCodec.refusePromise(codecs, "the pool")
    const initialSchema = options?.initial ?? (Schema.Void as unknown as Schema.ConstraintCodec<Init, unknown>)
    const service = Context.Service<Self, Functions<R>>()(id)
    const handlersKey = Context.Service<Handlers<Self>, ReadonlyMap<string, HostFunction.Implementation>>(
      `${id}/Handlers`
    )
    const toLayer: ServiceClass<Self, Id, R, Init>["toLayer"] = (handlers) =>
      Layer.effect(handlersKey, HostFunction.implement(codecs, handlers))
    const layer: ServiceClass<Self, Id, R, Init>["layer"] = (handlers, options) =>
      Layer.effect(
        service,
        Effect.gen(function* () {
          const implementations = yield* HostFunction.implement(codecs, handlers)
          const functions = yield* HostFunction.inOrder(codecs, implementations)
          return fromBackend<R>({ key: id, codecs }, yield* CallingThread.make(functions, options))
        })
      )
    return Object.assign(service, {
      codecs,
      initialCodec: Codec.make(initialSchema),
      initial: Context.Service<Initial<Self>, Init>(`${id}/Initial`),
      handlers: handlersKey,
      toLayer,
      layer
    })
  }

/** The typed functions over what runs them. */
export const fromBackend = <R extends Rpc.Any>(
  { codecs, key }: Pick<ServiceClass<unknown, string, R, unknown>, "codecs" | "key">,
  backend: PoolBackend.PoolBackend
): Functions<R> => {
  const functions: Record<string, unknown> = {}
  for (const [index, codec] of Array.from(codecs.values()).entries()) {
    const face = (whenFull: PoolBackend.WhenFull) =>
      codec.streams
        ? (payload: unknown) => backend.stream(index, payload, whenFull)
        : (payload: unknown) => backend.call(index, payload, whenFull)
    functions[codec.name] = HostFunction.withBytes(
      Object.assign(face("suspend"), { try: face("fail") }),
      codec,
      backend.bytes(index)
    )
  }
  return Object.assign(functions, { [BackendTypeId]: { backend, codecs, key } }) as unknown as Functions<R>
}

/** What the pool has in hand now. */
export const stats = <R extends Rpc.Any>(pool: Functions<R>): PoolBackend.Stats => pool[BackendTypeId].backend.stats()

/** Takes no new call (each fails with `Closed`), and completes when those that are in have settled. */
export const drain = <R extends Rpc.Any>(pool: Functions<R>): Effect.Effect<void> => pool[BackendTypeId].backend.drain

/**
 * The key that the current fiber's calls are pinned to: one key's calls run on one thread of the pool, in the order in
 * which they were made, for as long as that thread lives. Undefined: each call goes to the least busy thread.
 */
export const PinnedTo: Context.Reference<unknown> = PoolBackend.PinnedTo

/** Pins the pool calls of an effect, and of the guests that it calls, to a key: a string, a number, or another hashable. */
export const pinned = <A, E, R>(effect: Effect.Effect<A, E, R>, key: unknown): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, PinnedTo, key)

/**
 * What reaches the pool from another thread: see `Blocking`.
 *
 * @internal
 */
export const admit = <R extends Rpc.Any>(
  pool: Functions<R>,
  channels: Channels
): Effect.Effect<PoolBackend.Admission & Pick<Handle, "contract" | "functions">, ThreadError, Scope.Scope> => {
  const { backend, codecs, key } = pool[BackendTypeId]
  const functions = FunctionCodec.signaturesOf(codecs)
  return Effect.map(backend.admit(channels), (admission) => ({ ...admission, contract: key, functions }))
}

/** The pool's functions for callers without Effect, by tag. */
export type Promises<R extends Rpc.Any> = {
  readonly [Current in R as Current["_tag"]]: PromiseFunction<Current>
}

/** Rejects with the function's own typed failure, or with a `HostCallError`. */
export type PromiseFunction<R extends Rpc.Any> = (
  payload: Rpc.Payload<R>,
  options?: PoolBackend.CallOptions
) => [Rpc.Success<R>] extends [Stream.Stream<infer A, infer _E, infer _Env>]
  ? AsyncIterable<A>
  : Promise<Rpc.Success<R>>

/** The same pool through promises, and async iterables for streams. It still ends with its layer's scope. */
export const promises = <R extends Rpc.Any>(pool: Functions<R>): Promises<R> => {
  const { backend, codecs } = pool[BackendTypeId]
  const functions: Record<string, unknown> = {}
  for (const [index, codec] of Array.from(codecs.values()).entries()) {
    functions[codec.name] = codec.streams
      ? (payload: unknown, options?: PoolBackend.CallOptions) => backend.iterate(index, payload, options)
      : (payload: unknown, options?: PoolBackend.CallOptions) => backend.promise(index, payload, options)
  }
  return functions as Promises<R>
}
