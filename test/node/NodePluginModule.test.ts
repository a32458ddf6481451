import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { NodePluginModule } from "@fiberhost/node"
import { GuestExecutor, GuestLog } from "@fiberhost/wasm-host"
import { Effect, Layer } from "effect"
import { Imports, NotFound, Reporter } from "../../examples/report/contract.ts"

const wasm = new URL("../../guests/report/report.wasm", import.meta.url)

const Host = Imports.toLayer({
  read_file: ({ path }) => Effect.fail(new NotFound({ path })),
  sha256: () => Effect.succeed(""),
  log: GuestLog.debug
})

describe("NodePluginModule", () => {
  it.live("loads a plugin by path and by URL", () =>
    Effect.gen(function* () {
      for (const file of [wasm, fileURLToPath(wasm)]) {
        const reporter = yield* Reporter.make({ module: NodePluginModule.fromFile(file) })
        assert.strictEqual(yield* reporter.add({ a: 2, b: 3 }), 5)
      }
    }).pipe(Effect.provide(Layer.mergeAll(GuestExecutor.layer(), Host)))
  )

  it.live("names the file that cannot be read", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(NodePluginModule.fromFile("no/such/file.wasm"))
      assert.strictEqual(error.reason._tag, "ModuleUnreadable")
      assert.include(error.message, "no/such/file.wasm")
    })
  )

  it.live("names the file that is no module", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(NodePluginModule.fromFile(new URL(import.meta.url)))
      assert.strictEqual(error.reason._tag, "InvalidModule")
      assert.include(error.message, "NodePluginModule.test.ts")
    })
  )
})
