/**
 * The host functions of a plugin: one contract, one service that a program must provide before the plugin loads.
 *
 * The service is one per contract, so two plugins that both import `log`, with different payloads, live in one program,
 * and another contract's layer does not compile. A plugin sees exactly these functions and nothing else of the host.
 */
import * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import { Current } from "./internal/host/RunningHostCall.ts"
import * as Signature from "./internal/module/Signature.ts"

/** What the service holds: each function, by tag. The application's side of it is the layer's handlers. */
export type HostFunctions = ReadonlyMap<string, HostFunction.Implementation>

/** What a contract's class is: the service's key, the contract, and the layer that implements it. */
export interface ServiceClass<Self, Id extends string, R extends Rpc.Any>
  extends Context.ServiceClass<Self, Id, HostFunctions> {
  readonly functions: ReadonlyArray<R>
  readonly signatures: ReadonlyArray<Signature.Signature>
  /**
   * Implements the contract: for each function an Effect of its payload, with any services, or a function of a host
   * pool. Or an Effect of them all, which runs once, when the layer is built.
   */
  readonly toLayer: <H extends HostFunction.Handlers<R>, E = never, Env = never>(
    handlers: (H & HostFunction.Exactly<H, R>) | Effect.Effect<H & HostFunction.Exactly<H, R>, E, Env>
  ) => Layer.Layer<Self, E, Env | HostFunction.Services<H>>
}

/** Any contract of host functions, as a plugin's contract refers to it. */
export type Any<Self> = Context.Key<Self, HostFunctions> & { readonly signatures: ReadonlyArray<Signature.Signature> }

/**
 * Declares the host functions of a plugin, in any order:
 * `class Imports extends HostFunctions.Service<Imports>()("app/Imports", [Rpc.make("read_file", ..), Abi.sync("log", ..)]) {}`.
 * A function's tag is its name in the plugin's protocol, its payload's fields are its arguments in order.
 * Throws a `CodecError` (reason `Unsupported`) when a function cannot travel.
 */
export const Service =
  <Self>() =>
  <const Id extends string, const Rpcs extends ReadonlyArray<Rpc.Any>>(
    id: Id,
    functions: Rpcs & { readonly [K in keyof Rpcs]: FunctionCodec.Supported<Rpcs[K]> }
  ): ServiceClass<Self, Id, Rpcs[number]> => {
    const codecs = FunctionCodec.makeAll(functions)
    const service = Context.Service<Self, HostFunctions>()(id)
    const toLayer: ServiceClass<Self, Id, Rpcs[number]>["toLayer"] = (handlers) =>
      Layer.effect(service, Effect.updateContext(HostFunction.implement(codecs, handlers), withoutCaller))
    return Object.assign(service, {
      functions,
      signatures: Array.from(codecs.values(), Signature.make),
      toLayer
    })
  }

/** A layer that is built inside a host function is not that host function's. */
const withoutCaller = Context.omit(Current)
