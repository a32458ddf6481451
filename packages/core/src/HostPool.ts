/**
 * Host functions behind a bound: how many run at once, how many may wait.
 *
 * A pool is a service made from a group of `Rpc`s. Its functions are called directly by an application, and are given
 * to a plugin as host functions, where the guest's bytes reach them undecoded. Which threads they run on is a choice
 * of layer: `layer` here runs them in the calling thread. The pool owns its tasks: they end with the layer's scope.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import * as Executor from "./Executor.ts"
import * as FunctionCodec from "./FunctionCodec.ts"
import * as HostCallError from "./HostCallError.ts"
import * as HostFunction from "./HostFunction.ts"

/** The functions of a pool, by tag. */
export type Functions<R extends Rpc.Any> = {
  readonly [Current in R as Current["_tag"]]: HostFunction.HostFunction<Current>
}

/** What a pool's class is: the service's key, its contract, and the layer for the calling thread. */
export interface ServiceClass<Self, Id extends string, R extends Rpc.Any>
  extends Context.ServiceClass<Self, Id, Functions<R>> {
  readonly codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>
  /**
   * Runs the handlers in the calling thread. `concurrency`: how many run at once (default unbounded); `capacity`: how
   * many wait before callers are suspended (default 100).
   */
  readonly layer: <H extends HostFunction.Handlers<R>, E = never, Env = never>(
    handlers: (H & HostFunction.Exactly<H, R>) | Effect.Effect<H & HostFunction.Exactly<H, R>, E, Env>,
    options?: Executor.Options
  ) => Layer.Layer<Self, E, Env | HostFunction.Services<H>>
}

/**
 * Declares a pool: `class Hashing extends HostPool.Service<Hashing>()("app/Hashing", [Rpc.make("sha256", ..)]) {}`.
 * Throws a `CodecError` when a function cannot travel.
 */
export const Service =
  <Self>() =>
  <const Id extends string, const Rpcs extends ReadonlyArray<Rpc.Any>>(
    id: Id,
    functions: Rpcs & { readonly [K in keyof Rpcs]: FunctionCodec.Supported<Rpcs[K]> }
  ): ServiceClass<Self, Id, Rpcs[number]> => {
    const codecs = FunctionCodec.makeAll(functions)
    const service = Context.Service<Self, Functions<Rpcs[number]>>()(id)
    const layer: ServiceClass<Self, Id, Rpcs[number]>["layer"] = (handlers, options) =>
      Layer.effect(
        service,
        Effect.gen(function* () {
          const faces = yield* HostFunction.implement(codecs, handlers)
          const executor = yield* Executor.make(options)
          const functions: Record<string, unknown> = {}
          for (const [tag, codec] of codecs) {
            const run = faces.get(tag)!
            functions[tag] = HostFunction.fromBytes(codec, (args) =>
              Effect.catchTag(executor.run(Effect.suspend(() => run(args))), "ExecutorError", (error) =>
                Effect.fail(notRun(tag, error))
              )
            )
          }
          return functions as Functions<Rpcs[number]>
        })
      )
    return Object.assign(service, { codecs, layer })
  }

const notRun = (name: string, { reason }: Executor.ExecutorError): HostCallError.HostCallError => {
  switch (reason._tag) {
    case "NoRoom":
      return new HostCallError.HostCallError({
        function: name,
        reason: new HostCallError.NoRoom({ capacity: reason.capacity })
      })
    case "Closed":
      return new HostCallError.HostCallError({ function: name, reason: new HostCallError.Closed() })
    case "Interrupted":
      return new HostCallError.HostCallError({ function: name, reason: new HostCallError.Interrupted() })
  }
}
