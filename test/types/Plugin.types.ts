/** Checked by the compiler: what must compile, with the types inferred, and what must not. */
import { Abi, type GuestError, GuestExecutor, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Context, Effect, Layer, Schema, SchemaGetter } from "effect"
import { Rpc, RpcMiddleware } from "effect/rpc"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>): void => {}

class FileError extends Schema.TaggedError<FileError>()("FileError", { path: Schema.String }) {}
class Other extends Schema.TaggedError<Other>()("Other", {}) {}
class Disk extends Context.Service<Disk, { readonly read: (path: string) => Effect.Effect<Uint8Array, FileError> }>()(
  "Disk"
) {}

class Imports extends HostFunctions.Service<Imports>()("types/Imports", [
  Rpc.make("read_file", { payload: { path: Schema.String }, success: Schema.Uint8Array, error: FileError }),
  Abi.sync("log", { payload: { message: Schema.String } })
]) {}
class OtherImports extends HostFunctions.Service<OtherImports>()("types/OtherImports", [
  Abi.sync("log", { payload: { level: Abi.U8 } })
]) {}
class Reporter extends Plugin.Service<Reporter>()("types/Reporter", {
  imports: Imports,
  exports: [
    Rpc.make("report", { payload: { paths: Schema.Array(Schema.String) }, success: Schema.Int, error: Schema.String }),
    Rpc.make("reset"),
    Abi.sync("add", { payload: { a: Abi.U32, b: Abi.U32 }, success: Abi.U32 })
  ]
}) {}
declare const bytes: Uint8Array<ArrayBuffer>
declare const reporter: Reporter["Service"]

// What is inferred

const log = (_: { readonly message: string }) => Effect.void
const host = Imports.toLayer({ read_file: ({ path }) => Effect.flatMap(Disk, (disk) => disk.read(path)), log })
same<typeof host, Layer.Layer<Imports, never, Disk>>(true)

const plugin = Reporter.layer({ module: bytes })
same<typeof plugin, Layer.Layer<Reporter, GuestError.GuestError, GuestExecutor.GuestExecutor | Imports>>(true)

const report = reporter.report({ paths: ["a"] })
same<typeof report, Effect.Effect<number, string | GuestError.GuestError>>(true)
const reset = reporter.reset()
same<typeof reset, Effect.Effect<void, GuestError.GuestError>>(true)
const sum = reporter.addUnsafe({ a: 1, b: 2 })
same<typeof sum, number>(true)

// Host functions

const read_file = () => Effect.fail(new FileError({ path: "" }))
// @ts-expect-error a missing host function
Imports.toLayer({ log })
// @ts-expect-error a misspelt host function
Imports.toLayer({ read_file, log, readfile: read_file })
// @ts-expect-error an argument of another type
Imports.toLayer({ read_file, log: (_: { readonly message: number }) => Effect.void })
// @ts-expect-error an argument that the contract does not have
Imports.toLayer({ read_file: ({ file }) => Effect.fail(new FileError({ path: file })), log })
// @ts-expect-error a result of another type
Imports.toLayer({ read_file: () => Effect.succeed("text"), log })
// @ts-expect-error a failure that the contract does not name
Imports.toLayer({ read_file: () => Effect.fail(new Other()), log })
// @ts-expect-error a failure of a function that names none
Imports.toLayer({ read_file, log: () => Effect.fail("full") })
// @ts-expect-error a value instead of an Effect
Imports.toLayer({ read_file, log: () => undefined })

// Calls

// @ts-expect-error an argument of another type
reporter.report({ paths: [1] })
// @ts-expect-error a missing argument
reporter.add({ a: 1 })
// @ts-expect-error no arguments at all
reporter.report()
// @ts-expect-error an argument too many
reporter.reset({ all: true })
// @ts-expect-error a function that the contract does not have
reporter.summarize
// @ts-expect-error the synchronous twin of a function that is not declared sync
reporter.reportUnsafe({ paths: [] })
// @ts-expect-error a function that is required and does not exist
Reporter.layer({ module: bytes, require: ["summarize"] })
// @ts-expect-error a module that is none
Reporter.layer({ module: "report.wasm" })

// Programs: nothing may be unhandled or forgotten

const program = Effect.flatMap(Reporter, (reporter) => reporter.report({ paths: [] }))
const run = <A>(_: Effect.Effect<A>): void => {}
const Guest = Reporter.layer({ module: bytes })
const Host = Imports.toLayer({ read_file, log })
const handled = program.pipe(
  Effect.catchTag("GuestError", () => Effect.succeed(0)),
  Effect.catch((message) => Effect.succeed(message.length))
)
const App = Guest.pipe(Layer.provide(GuestExecutor.layer()), Layer.provide(Host), Layer.orDie)
run(Effect.provide(handled, App))
const half = program.pipe(Effect.catchTag("GuestError", () => Effect.succeed(0)))
// @ts-expect-error the contract's own failure is not handled
run(Effect.provide(half, App))
const otherHalf = Effect.catchIf(
  program,
  (error) => typeof error === "string",
  () => Effect.succeed(0)
)
// @ts-expect-error the guest's end is not handled
run(Effect.provide(otherHalf, App))
// @ts-expect-error that the plugin may not load is not handled
run(Effect.provide(handled, Guest.pipe(Layer.provide(GuestExecutor.layer()), Layer.provide(Host))))
// @ts-expect-error a forgotten executor
run(Effect.provide(handled, Guest.pipe(Layer.provide(Host), Layer.orDie)))
// @ts-expect-error forgotten host functions
run(Effect.provide(handled, Guest.pipe(Layer.provide(GuestExecutor.layer()), Layer.orDie)))
const OtherHost = OtherImports.toLayer({ log: () => Effect.void })
// @ts-expect-error another contract's host functions, though one has the same name
run(Effect.provide(handled, Guest.pipe(Layer.provide(GuestExecutor.layer()), Layer.provide(OtherHost), Layer.orDie)))

// Contracts

class Middleware extends RpcMiddleware.Service<Middleware>()("types/Middleware") {}
const Filled = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))
const Within = Schema.Struct({ text: Schema.optionalKey(Schema.String) })
const Needy = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transformEffect((text: string) => Effect.as(Effect.service(Disk), text)),
    encode: SchemaGetter.passthrough()
  })
)
// @ts-expect-error a streamed answer
HostFunctions.Service()("x", [Rpc.make("tail", { success: Schema.String, stream: true })])
// @ts-expect-error middleware
HostFunctions.Service()("x", [Rpc.make("guarded").middleware(Middleware)])
// @ts-expect-error a payload that is not a struct
HostFunctions.Service()("x", [Rpc.make("text", { payload: Schema.String })])
// @ts-expect-error an argument that may be left out
HostFunctions.Service()("x", [Rpc.make("text", { payload: { text: Schema.optional(Schema.String) } })])
// @ts-expect-error an argument whose key may be left out
HostFunctions.Service()("x", [Rpc.make("text", { payload: { text: Schema.optionalKey(Schema.String) } })])
// What is filled in before it is an argument, and what is left out inside one, travels.
HostFunctions.Service()("x", [Rpc.make("text", { payload: { text: Filled, in: Within } })])
// @ts-expect-error a schema that needs services
HostFunctions.Service()("x", [Rpc.make("needy", { payload: { text: Needy } })])
// @ts-expect-error an answer whose schema does
HostFunctions.Service()("x", [Rpc.make("needy", { success: Needy })])
// @ts-expect-error a failure whose schema does
HostFunctions.Service()("x", [Rpc.make("needy", { error: Needy })])
// @ts-expect-error a streamed answer of a plugin's export
Plugin.Service()("x", { exports: [Rpc.make("tail", { success: Schema.String, stream: true })] })
// @ts-expect-error who awaits the plugin would call it
Plugin.Service()("x", { exports: [Rpc.make("then")] })
HostFunctions.Service()("x", [Rpc.make("then")])
// @ts-expect-error imports that are no contract
Plugin.Service()("x", { imports: { log }, exports: [Rpc.make("reset")] })

// Doubles

const double = Reporter.layerTest({ report: ({ paths }) => Effect.succeed(paths.length) })
same<typeof double, Layer.Layer<Reporter>>(true)
// @ts-expect-error a double that answers another type
Reporter.layerTest({ report: () => Effect.succeed("text") })
// @ts-expect-error a double that fails with what the contract does not name
Reporter.layerTest({ report: () => Effect.fail(new Other()) })
// @ts-expect-error a double of a function that the contract does not have
Reporter.layerTest({ reports: () => Effect.succeed(1) })
