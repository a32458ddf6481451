// Eight instances behind one service: for functions that keep no state. Each call goes to the least busy one that is
// alive, so the program calls the service as if it were one guest.
import { NodeRuntime } from "@effect/platform-node"
import { NodePluginModule } from "@fiberhost/node"
import { GuestExecutor, GuestLog, Plugin } from "@fiberhost/wasm-host"
import { Console, Effect, Fiber, Layer } from "effect"
import { Imports, Reporter } from "../report/contract.ts"

const Host = Imports.toLayer({
  read_file: ({ path }) => Effect.as(Effect.sleep("20 millis"), new TextEncoder().encode(`this is ${path}`)),
  sha256: () => Effect.succeed(""),
  log: GuestLog.debug
})

const Reporters = Reporter.layer({
  module: NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url)),
  instances: 8
}).pipe(Layer.provide(GuestExecutor.layer()), Layer.provide(Host))

const program = Effect.gen(function* () {
  const reporter = yield* Reporter
  const reports = yield* Effect.forkChild(
    Effect.forEach(
      Array.from({ length: 64 }, (_, i) => `file ${i}`),
      (path) => reporter.report({ paths: [path] }),
      { concurrency: "unbounded" }
    ),
    { startImmediately: true }
  )
  yield* Console.log(
    `calls in each instance: ${Plugin.stats(reporter)
      .map(({ calls }) => calls)
      .join(" ")}`
  )
  const words = (yield* Fiber.join(reports)).map(({ totals }) => totals.words)
  yield* Console.log(`${words.length} reports, ${words.reduce((sum, count) => sum + count, 0)} words`)
})

program.pipe(Effect.provide(Reporters), NodeRuntime.runMain)
