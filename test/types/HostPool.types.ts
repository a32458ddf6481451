/** Checked by the compiler: host pools, by themselves and behind a plugin's contract. */
import { type HostCallError, HostPool, type Thread } from "@fiberhost/core"
import { NodeHostPool, NodeHostRunner } from "@fiberhost/node"
import { HostFunctions } from "@fiberhost/wasm-host"
import { Context, Effect, Layer, Schema, SchemaGetter, Stream } from "effect"
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

// Over threads

class Tail extends HostPool.Service<Tail>()(
  "types/Tail",
  [Rpc.make("lines", { payload: { path: Schema.String }, success: Schema.Int, error: TooLong, stream: true })],
  { initial: Schema.Struct({ root: Schema.String }) }
) {}
declare const tail: Tail["Service"]
declare const module: URL

const lines = tail.lines({ path: "" })
same<typeof lines, Stream.Stream<number, TooLong | HostCallError.HostCallError>>(true)
const tried = tail.lines.try({ path: "" })
same<typeof tried, typeof lines>(true)

const overThreads = NodeHostPool.layer(Hashing, { program: module, size: { min: 1, max: 4 } })
same<typeof overThreads, Layer.Layer<Hashing, Thread.ThreadError>>(true)
NodeHostPool.layer(Tail, { program: module, initial: { root: "/" } })
// @ts-expect-error a missing initial value
NodeHostPool.layer(Tail, { program: module })
// @ts-expect-error an initial value of another type
NodeHostPool.layer(Tail, { program: module, initial: { root: 7 } })
// @ts-expect-error an initial value of a contract that has none
NodeHostPool.layer(Hashing, { program: module, initial: { root: "/" } })
// @ts-expect-error a missing program
NodeHostPool.layer(Hashing, { size: 1 })
// @ts-expect-error a program that is no URL
NodeHostPool.layer(Hashing, { program: "./worker.ts" })
// @ts-expect-error a size without its maximum
NodeHostPool.layer(Hashing, { program: module, size: { min: 1 } })
// @ts-expect-error something that is no pool's contract
NodeHostPool.layer(Crypto, { program: module })

const stream = () => Stream.make(1)
NodeHostRunner.run(Tail, Tail.toLayer({ lines: stream }))
NodeHostRunner.run(
  Tail,
  Tail.toLayer(Effect.map(Tail.initial, ({ root }) => ({ lines: () => Stream.make(root.length) })))
)
// A scope is the stream's own.
NodeHostRunner.run(
  Tail,
  Tail.toLayer({
    lines: () =>
      Stream.fromEffect(
        Effect.as(
          Effect.addFinalizer(() => Effect.void),
          1
        )
      )
  })
)
// @ts-expect-error an Effect for a function that streams
Tail.toLayer({ lines: () => Effect.succeed(1) })
// @ts-expect-error an element of another type
Tail.toLayer({ lines: () => Stream.make("1") })
// @ts-expect-error a failure of the stream that the contract does not name
Tail.toLayer({ lines: () => Stream.fail(new Other()) })
// @ts-expect-error a Stream for a function that does not
Hashing.toLayer({ sha256, warm: () => Stream.make(undefined) })
// @ts-expect-error another contract's handlers
NodeHostRunner.run(Hashing, Tail.toLayer({ lines: stream }))
// @ts-expect-error a pool's layer instead of its handlers
NodeHostRunner.run(Tail, NodeHostPool.layer(Tail, { program: module, initial: { root: "/" } }))
// @ts-expect-error a forgotten service of the handlers
NodeHostRunner.run(Hashing, Hashing.toLayer({ sha256, warm: nothing }))
const foreign = Effect.map(Tail.initial, () => ({ sha256: () => Effect.succeed(""), warm: nothing }))
// @ts-expect-error another contract's initial value
NodeHostRunner.run(Hashing, Hashing.toLayer(foreign))

// Through promises

declare const opened: NodeHostPool.Opened<Rpcs<typeof Hashing> | Rpcs<typeof Tail>>
type Rpcs<S> = S extends HostPool.Any<infer _Self, infer R, infer _Init> ? R : never
const promised = opened.sha256({ bytes }, { key: "k", signal: AbortSignal.timeout(1), try: true })
same<typeof promised, Promise<string>>(true)
const iterated = opened.lines({ path: "" })
same<typeof iterated, AsyncIterable<number>>(true)
// @ts-expect-error an argument of another type
opened.sha256({ bytes: "text" })
// @ts-expect-error a function that the pool does not have
opened.md5
// @ts-expect-error a missing initial value
NodeHostPool.open(Tail, { program: module })

// Contracts

class Middleware extends RpcMiddleware.Service<Middleware>()("types/Middleware") {}
const Filled = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))
const Within = Schema.Struct({ text: Schema.optionalKey(Schema.String) })
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
// @ts-expect-error who awaits the pool would call it
HostPool.Service()("x", [Rpc.make("then")])
// @ts-expect-error a payload that is not a struct
HostPool.Service()("x", [Rpc.make("text", { payload: Schema.String })])
// @ts-expect-error an argument that may be left out
HostPool.Service()("x", [Rpc.make("text", { payload: { text: Schema.optional(Schema.String) } })])
// @ts-expect-error an argument whose key may be left out
HostPool.Service()("x", [Rpc.make("text", { payload: { text: Schema.optionalKey(Schema.String) } })])
// What is filled in before it is an argument, and what is left out inside one, travels.
HostPool.Service()("x", [Rpc.make("text", { payload: { text: Filled, in: Within } })])
// @ts-expect-error a schema that needs services
HostPool.Service()("x", [Rpc.make("needy", { success: Needy })])
