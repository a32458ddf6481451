/** Checked by the compiler: host pools, by themselves and behind a plugin's contract. */
import { type HostCallError, HostPool } from "@fiberhost/core"
import { HostFunctions } from "@fiberhost/wasm-host"
import { Context, Effect, Layer, Schema, SchemaGetter } from "effect"
import { Rpc, RpcMiddleware } from "effect/rpc"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>): void => {}

class TooLong extends Schema.TaggedError<TooLong>()("TooLong", { limit: Schema.Int }) {}
class Other extends Schema.TaggedError<Other>()("Other", {}) {}
class Crypto extends Context.Service<Crypto, { readonly hex: (bytes: Uint8Array) => string }>()("types/Crypto") {}

class Hashing extends HostPool.Service<Hashing>()("types/Hashing", [
  Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String, error: TooLong }),
  Rpc.make("warm")
]) {}
declare const hashing: Hashing["Service"]
declare const bytes: Uint8Array<ArrayBuffer>

// What is inferred

const hash = hashing.sha256({ bytes })
same<typeof hash, Effect.Effect<string, TooLong | HostCallError.HostCallError>>(true)
const warm = hashing.warm()
same<typeof warm, Effect.Effect<void, HostCallError.HostCallError>>(true)

const sha256 = ({ bytes }: { readonly bytes: Uint8Array }) => Effect.map(Crypto, ({ hex }) => hex(bytes))
const pool = Hashing.layer({ sha256, warm: () => Effect.void }, { concurrency: 4, capacity: 100 })
same<typeof pool, Layer.Layer<Hashing, never, Crypto>>(true)
const prepared = Hashing.layer(
  Effect.map(Effect.fail("no key"), () => ({
    sha256: () => Effect.fail(new TooLong({ limit: 0 })),
    // A scope is each call's own, not the program's to provide.
    warm: () => Effect.addFinalizer(() => Effect.void)
  }))
)
same<typeof prepared, Layer.Layer<Hashing, string>>(true)

// Handlers

const nothing = () => Effect.void
// @ts-expect-error a missing handler
Hashing.layer({ sha256 })
// @ts-expect-error no handlers at all
Hashing.layer({})
// @ts-expect-error a misspelt handler
Hashing.layer({ sha265: sha256, warm: nothing })
// @ts-expect-error a handler of a function that the pool does not have
Hashing.layer({ sha256, warm: nothing, sha512: sha256 })
// @ts-expect-error an argument of another type
Hashing.layer({ sha256: (_: { readonly bytes: string }) => Effect.succeed(""), warm: nothing })
// @ts-expect-error an answer of another type
Hashing.layer({ sha256: () => Effect.succeed(7), warm: nothing })
// @ts-expect-error a failure that the contract does not name
Hashing.layer({ sha256: () => Effect.fail(new Other()), warm: nothing })
// @ts-expect-error a failure of a function that names none
Hashing.layer({ sha256, warm: () => Effect.fail("cold") })
// @ts-expect-error a value instead of an Effect
Hashing.layer({ sha256: () => "", warm: nothing })
// @ts-expect-error counts are numbers
Hashing.layer({ sha256, warm: nothing }, { concurrency: "4" })

// Calls

// @ts-expect-error an argument of another type
hashing.sha256({ bytes: "text" })
// @ts-expect-error a missing argument
hashing.sha256({})
// @ts-expect-error no arguments at all
hashing.sha256()
// @ts-expect-error a function that the pool does not have
hashing.md5

// Programs: nothing may be unhandled or forgotten

const run = <A>(_: Effect.Effect<A>): void => {}
const program = Effect.flatMap(Hashing, (hashing) => hashing.sha256({ bytes }))
const handled = Effect.catchTags(program, {
  TooLong: () => Effect.succeed(""),
  HostCallError: () => Effect.succeed("")
})
const half = Effect.catchTag(program, "HostCallError", () => Effect.succeed(""))
const otherHalf = Effect.catchTag(program, "TooLong", () => Effect.succeed(""))
const App = pool.pipe(Layer.provide(Layer.succeed(Crypto, { hex: () => "" })))
run(Effect.provide(handled, App))
// @ts-expect-error the contract's own failure is not handled
run(Effect.provide(half, App))
// @ts-expect-error that the pool may not answer is not handled
run(Effect.provide(otherHalf, App))
// @ts-expect-error a forgotten pool
run(handled)
// @ts-expect-error a forgotten service of its handlers
run(Effect.provide(handled, pool))

// Behind a plugin's contract

class Pooled extends HostFunctions.Service<Pooled>()("types/Pooled", [
  Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String, error: TooLong })
]) {}
const pooled = Pooled.toLayer(Effect.map(Hashing, ({ sha256 }) => ({ sha256 })))
same<typeof pooled, Layer.Layer<Pooled, never, Hashing>>(true)

class OfText extends HostFunctions.Service<OfText>()("types/OfText", [
  Rpc.make("sha256", { payload: { text: Schema.String }, success: Schema.String, error: TooLong })
]) {}
// @ts-expect-error a pool's function with other arguments
OfText.toLayer(Effect.map(Hashing, ({ sha256 }) => ({ sha256 })))
class Counting extends HostFunctions.Service<Counting>()("types/Counting", [
  Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.Int, error: TooLong })
]) {}
// @ts-expect-error a pool's function with another answer
Counting.toLayer(Effect.map(Hashing, ({ sha256 }) => ({ sha256 })))
class Unfailing extends HostFunctions.Service<Unfailing>()("types/Unfailing", [
  Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String })
]) {}
// @ts-expect-error a pool's function with a failure that the plugin's contract does not name
Unfailing.toLayer(Effect.map(Hashing, ({ sha256 }) => ({ sha256 })))
// @ts-expect-error another function of the pool
Pooled.toLayer(Effect.map(Hashing, ({ warm }) => ({ sha256: warm })))

// Contracts

class Middleware extends RpcMiddleware.Service<Middleware>()("types/Middleware") {}
const Needy = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transformEffect((text: string) => Effect.as(Effect.service(Crypto), text)),
    encode: SchemaGetter.passthrough()
  })
)
// A streamed answer is for pools.
HostPool.Service()("x", [Rpc.make("tail", { success: Schema.String, stream: true })])
// @ts-expect-error middleware
HostPool.Service()("x", [Rpc.make("guarded").middleware(Middleware)])
// @ts-expect-error a payload that is not a struct
HostPool.Service()("x", [Rpc.make("text", { payload: Schema.String })])
// @ts-expect-error a schema that needs services
HostPool.Service()("x", [Rpc.make("needy", { success: Needy })])
