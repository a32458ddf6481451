// A program of somebody who has installed the packages: a plugin on a thread, its host functions on a pool, and the pool by itself
// through promises and blocking. Its argument is the plugin; it prints the hash of its own source, three times. With the argument
// `bundled` it needs no package: the programs of all threads are modules beside it.
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { NodeBlocking, NodeGuestThread, NodeHostPool, NodePluginModule } from "@fiberhost/node"
import { Effect, Layer } from "effect"
import { Hashing, Imports, Reporter } from "./contract.js"

const [file, bundled] = process.argv.slice(2)
const guestThread = bundled ? { program: new URL("./guest.runner.js", import.meta.url) } : {}
const pool = {
  program: new URL("./hashing.worker.js", import.meta.url),
  initial: "sha256",
  size: 2,
  ...(bundled ? { watcher: new URL("./watcher.js", import.meta.url) } : {})
}

const Host = Imports.toLayer(
  Effect.map(Hashing, ({ sha256 }) => ({
    read_file: ({ path }) =>
      Effect.mapError(
        Effect.tryPromise(() => readFile(path)),
        () => ({ _tag: "NotFound", path })
      ),
    sha256,
    log: () => Effect.void
  }))
)

const plugin = Reporter.layer({ module: NodePluginModule.fromFile(file) }).pipe(
  Layer.provide(Host),
  Layer.provide(Layer.merge(NodeGuestThread.layer(guestThread), NodeHostPool.layer(Hashing, pool)))
)

const path = fileURLToPath(import.meta.url)
const report = await Effect.runPromise(
  Effect.provide(
    Effect.flatMap(Reporter, (reporter) => reporter.report({ paths: [path] })),
    plugin
  )
)
console.log(report.files[0].sha256)

await using hashing = await NodeHostPool.open(Hashing, pool)
console.log(await hashing.sha256({ bytes: await readFile(path) }))

const bytes = await readFile(path)
const blocking = Effect.gen(function* () {
  using hashing = NodeBlocking.open(Hashing, yield* NodeBlocking.handle(Hashing))
  return hashing.sha256.runOrThrow({ bytes })
})
console.log(await Effect.runPromise(Effect.scoped(blocking).pipe(Effect.provide(NodeHostPool.layer(Hashing, pool)))))
