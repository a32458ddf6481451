// One trace over three threads: a request of the application, the plugin's call on a guest thread, its host functions, and
// what one of them does on a thread of a pool.
import { NodeRuntime } from "@effect/platform-node"
import { NodeGuestThread, NodeHostPool, NodePluginModule } from "@fiberhost/node"
import { GuestLog, GuestTelemetry } from "@fiberhost/wasm-host"
import { Console, Effect, Layer } from "effect"
import { Hashing, Imports, Reporter } from "../report/contract.ts"
import { collector } from "./collector.ts"
import { tracing } from "./tracing.ts"

const Host = Imports.toLayer(
  Effect.map(Hashing, ({ sha256 }) => ({
    read_file: ({ path }) => Effect.succeed(new TextEncoder().encode(`this is ${path}`)),
    sha256,
    log: GuestLog.debug
  }))
)

const Threads = (collectorUrl: string) =>
  Layer.merge(
    NodeGuestThread.layer(),
    NodeHostPool.layer(Hashing, {
      program: new URL("./hashing.worker.ts", import.meta.url),
      env: { ...process.env, COLLECTOR: collectorUrl },
      size: 1
    })
  )

const Traced = (collectorUrl: string) =>
  Reporter.layer({
    module: NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url))
  }).pipe(
    Layer.provide(GuestTelemetry.layer),
    Layer.provide(Host),
    Layer.provide(Threads(collectorUrl)),
    Layer.merge(tracing("application", collectorUrl))
  )

const program = Effect.gen(function* () {
  const { lines, url } = yield* collector
  const request = Effect.flatMap(Reporter, (reporter) => reporter.report({ paths: ["a file"] }))
  // The layers' end sends what is left of the spans.
  yield* request.pipe(Effect.withSpan("request"), Effect.provide(Traced(url)))
  yield* Effect.forEach(lines(), (line) => Console.log(line))
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
