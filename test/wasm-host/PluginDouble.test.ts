import { assert, describe, it } from "@effect/vitest"
import { Abi, Plugin } from "@fiberhost/wasm-host"
import { Effect, Schema } from "effect"

describe("a double of a plugin", () => {
  class Named extends Plugin.Service<Named>()("life/Named", {
    exports: [
      Abi.sync("constructor", { success: Schema.String }),
      Abi.sync("toString", { success: Schema.String }),
      Abi.sync("valueOf", { success: Schema.String })
    ]
  }) {}
  it.effect("has no handler that it was not given, whatever every object has", () =>
    Effect.gen(function* () {
      const named = yield* Named
      assert.deepStrictEqual(Plugin.missing(named), ["constructor", "toString"])
      assert.strictEqual(yield* named.valueOf(), "given")
    }).pipe(Effect.provide(Named.layerTest({ valueOf: () => Effect.succeed("given") } as never)))
  )
})
