import { createHash } from "node:crypto"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { NodePluginModule } from "@fiberhost/node"
import { GuestExecutor, GuestLog } from "@fiberhost/wasm-host"
import { Console, Effect, FileSystem, Layer } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Imports, NotFound, Reporter, Unreadable } from "./contract.ts"
import { findFiles } from "./files.ts"
import { Progress } from "./progress.ts"
import { toJson, toTable } from "./table.ts"

// The host functions: Effects with services of their own. A guest awaits many of them at once.
const Host = Imports.toLayer(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const progress = yield* Progress
    return {
      read_file: ({ path }) =>
        fs.readFile(path).pipe(
          Effect.mapError((error) =>
            error.reason._tag === "NotFound" ? new NotFound({ path }) : new Unreadable({ path, message: error.message })
          ),
          Effect.ensuring(progress.advance)
        ),
      sha256: ({ bytes }) => Effect.sync(() => createHash("sha256").update(bytes).digest("hex")),
      log: GuestLog.debug
    }
  })
)

// The plugin, a service like any other. Threads will be another layer here; the program below stays.
const Plugin = Reporter.layer({
  module: NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url))
}).pipe(Layer.provide(GuestExecutor.GuestExecutor.layer()), Layer.provide(Host))

const report = Command.make(
  "report",
  {
    paths: Argument.String("path").pipe(Argument.withDescription("files or folders"), Argument.variadic({ min: 1 })),
    json: Flag.Boolean("json").pipe(Flag.withDescription("print JSON instead of a table"), Flag.withDefault(false))
  },
  Effect.fn(function* ({ json, paths }) {
    const reporter = yield* Reporter
    const files = yield* findFiles(paths)
    const report = yield* Progress.use((progress) => progress.during(files.length, reporter.report({ paths: files })))
    yield* Console.log(json ? toJson(report) : toTable(report))
  })
)

report.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(Plugin.pipe(Layer.provideMerge(Progress.layer), Layer.provideMerge(NodeServices.layer))),
  NodeRuntime.runMain
)
