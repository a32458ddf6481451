// Two plugins in one program that both import `log`, with different payloads. Each contract of host functions is a
// service of its own, so neither can be given the other's, and the compiler says so.
import { NodeRuntime } from "@effect/platform-node"
import { NodePluginModule } from "@fiberhost/node"
import { Abi, GuestExecutor, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Console, Effect, Layer, Schema } from "effect"
import { Imports, NotFound, Reporter } from "../report/contract.ts"

class GreeterImports extends HostFunctions.Service<GreeterImports>()("greeter/Imports", [
  Abi.sync("log", { payload: { level: Abi.U8, text: Schema.String } })
]) {}
class Greeter extends Plugin.Service<Greeter>()("greeter/Greeter", {
  imports: GreeterImports,
  exports: [Abi.sync("greet")]
}) {}

const ReporterHost = Imports.toLayer({
  read_file: ({ path }) => Effect.fail(new NotFound({ path })),
  sha256: () => Effect.succeed(""),
  log: ({ message }) => Console.log(`reporter: ${message}`)
})
const GreeterHost = GreeterImports.toLayer({
  log: ({ level, text }) => Console.log(`greeter, level ${level}: ${text}`)
})

const fromFile = (path: string) => NodePluginModule.fromFile(new URL(path, import.meta.url))
const Plugins = Layer.mergeAll(
  Reporter.layer({ module: fromFile("../../guests/report/report.wasm") }).pipe(Layer.provide(ReporterHost)),
  Greeter.layer({ module: fromFile("./greeter.wasm") }).pipe(Layer.provide(GreeterHost))
).pipe(Layer.provide(GuestExecutor.layer()))

const program = Effect.gen(function* () {
  yield* (yield* Reporter).report({ paths: ["nowhere"] })
  yield* (yield* Greeter).greet()
})

program.pipe(Effect.provide(Plugins), NodeRuntime.runMain)
