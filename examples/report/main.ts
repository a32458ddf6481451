import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { NodeGuestThread, NodeHostPool, NodePluginModule } from "@fiberhost/node"
import { GuestExecutor, GuestLog } from "@fiberhost/wasm-host"
import { Console, Effect, FileSystem, Layer } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Hashing, Imports, NotFound, Reporter, Unreadable } from "./contract.ts"
import { findFiles } from "./files.ts"
import { hashing } from "./hashing.ts"
import { Progress } from "./progress.ts"
import { toJson, toTable } from "./table.ts"

// The host functions: Effects with services of their own. A guest awaits many of them at once.
const Host = Imports.toLayer(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const progress = yield* Progress
    const { sha256 } = yield* Hashing
    return {
      read_file: ({ path }) =>
        Effect.gen(function* () {
          const { size, type } = yield* fs.stat(path)
          if (type !== "File") return yield* new Unreadable({ path, message: "it is no file" })
          if (size > 16_000_000) return yield* new Unreadable({ path, message: "a plugin takes values up to 16 MB" })
          return yield* fs.readFile(path)
        }).pipe(
          Effect.catchTag("PlatformError", (error) =>
            Effect.fail(
              error.reason._tag === "NotFound"
                ? new NotFound({ path })
                : new Unreadable({ path, message: error.message })
            )
          ),
          Effect.ensuring(progress.advance)
        ),
      sha256,
      log: GuestLog.debug
    }
  })
)

// Which threads do what, and nothing else of the program, is a choice of layers.
const threads = {
  none: Layer.merge(GuestExecutor.layer(), Hashing.layer(hashing)),
  guest: Layer.merge(NodeGuestThread.layer(), Hashing.layer(hashing)),
  all: Layer.merge(
    NodeGuestThread.layer(),
    NodeHostPool.layer(Hashing, { program: new URL("./hashing.worker.ts", import.meta.url) })
  )
}

const Plugin = (choice: keyof typeof threads) =>
  Reporter.layer({
    module: NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url))
  }).pipe(Layer.provide(Host), Layer.provide(threads[choice]), Layer.provideMerge(Progress.layer))

const report = Command.make(
  "report",
  {
    paths: Argument.String("path").pipe(Argument.withDescription("files or folders"), Argument.variadic({ min: 1 })),
    threads: Flag.Literals("threads", ["none", "guest", "all"]).pipe(
      Flag.withDescription("what has threads of its own: nothing, the guest, or the guest and its host functions"),
      Flag.withDefault("none")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDescription("print JSON instead of a table"), Flag.withDefault(false))
  },
  Effect.fn(
    function* ({ json, paths }) {
      const reporter = yield* Reporter
      const progress = yield* Progress
      const files = yield* findFiles(paths)
      const report = yield* progress.during(files.length, reporter.report({ paths: files }))
      yield* Console.log(json ? toJson(report) : toTable(report))
    },
    (program, { threads }) => Effect.provide(program, Plugin(threads)),
    Effect.tapError((error) => Console.error(typeof error === "string" ? error : error.message))
  )
)

report.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
