import { assert, describe, it } from "@effect/vitest"
import { GuestExecutor, Plugin, PluginModule } from "@fiberhost/wasm-host"
import { Effect, Fiber } from "effect"
import { compile, plugin, Wat, WatImports, watHandlers } from "../fixtures/wat.ts"

const inApplication = GuestExecutor.layer()
const watHost = WatImports.toLayer(watHandlers)

describe("a module", () => {
  it.live("in a Buffer that is used again at once is the one that was given", () =>
    Effect.gen(function* () {
      const [one, two] = yield* Effect.all(["1", "2"].map((n) => compile(plugin({ number: `(i32.const ${n})` }))))
      const buffer = Buffer.from(one!)
      const first = yield* Effect.forkChild(Wat.make({ module: buffer }), { startImmediately: true })
      buffer.set(two!)
      assert.strictEqual(yield* (yield* Fiber.join(first)).number({ n: 0 }), 1)
      assert.strictEqual(yield* (yield* Wat.make({ module: one! })).number({ n: 0 }), 1)
    }).pipe(Effect.scoped, Effect.provide(watHost), Effect.provide(inApplication))
  )

  it.live("in a Buffer that is used again later can still be limited", () =>
    Effect.gen(function* () {
      const buffer = Buffer.from(yield* compile(plugin()))
      const module = yield* PluginModule.make(buffer)
      buffer.fill(0)
      const guest = yield* Wat.make({ module, limits: { memory: 65_536 } })
      assert.strictEqual(yield* guest.number({ n: 1 }), 1)
    }).pipe(Effect.scoped, Effect.provide(watHost), Effect.provide(inApplication))
  )

  it.effect("that imports a tag whose type has a large index is read to its end", () =>
    Effect.gen(function* () {
      const unsigned = (n: number): Array<number> =>
        n < 0x80 ? [n] : [(n % 0x80) | 0x80, ...unsigned(Math.floor(n / 0x80))]
      const section = (id: number, content: Array<number>) => [id, ...unsigned(content.length), ...content]
      const name = (text: string) => {
        const bytes = new TextEncoder().encode(text)
        return [...unsigned(bytes.length), ...bytes]
      }
      const types = [...unsigned(129), ...Array.from({ length: 129 }, () => [0x60, 0, 0]).flat()]
      const tag = [...name("fp"), ...name("tag"), 4, 0, ...unsigned(128)]
      const imports = [3, ...tag, ...name("\u{10FFFF}"), ...name("f"), 0, 0, ...name("fp"), ...name("g"), 0, 0]
      const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(1, types), ...section(2, imports)]
      const module = yield* PluginModule.make(new Uint8Array(bytes))
      assert.deepStrictEqual(
        module.interface.imports.map(({ kind, name }) => [kind, name]),
        [
          ["tag", "tag"],
          ["function", "f"],
          ["function", "g"]
        ]
      )
    })
  )

  it.effect("with structs, arrays and subtypes has the signatures of its functions", () =>
    Effect.gen(function* () {
      // (type (struct (field (mut i8)) (field (ref null 0))))
      const struct = [0x5f, 2, 0x78, 1, 0x63, 0, 0]
      // (type (array i16))
      const array = [0x5e, 0x77, 0]
      // (type (sub (func (param i32) (result f64))))
      const general = [0x50, 0, 0x60, 1, 0x7f, 1, 0x7c]
      // (type (sub final 2 (func (param i32) (result f64))))
      const special = [0x4f, 1, 2, 0x60, 1, 0x7f, 1, 0x7c]
      const types = [2, 0x4e, 4, ...struct, ...array, ...general, ...special, 0x60, 0, 0]
      const imports = [2, 1, 0x61, 1, 0x62, 0, 3, 1, 0x61, 1, 0x63, 0, 4]
      const section = (id: number, content: Array<number>) => [id, content.length, ...content]
      const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(1, types), ...section(2, imports)]
      const module = yield* PluginModule.make(new Uint8Array(bytes))
      assert.deepStrictEqual(
        module.interface.imports.map(({ type }) => type),
        [
          { parameters: ["i32"], results: ["f64"] },
          { parameters: [], results: [] }
        ]
      )
    })
  )

  it.effect("whose names begin with a byte order mark does not match the contract", () =>
    Effect.gen(function* () {
      const module = yield* compile(plugin().replace(`"__fp_malloc"`, `"\\ef\\bb\\bf__fp_malloc"`))
      assert.strictEqual((yield* Effect.flip(Wat.make({ module }))).reason._tag, "LinkMismatch")
    }).pipe(Effect.scoped, Effect.provide(watHost), Effect.provide(inApplication))
  )

  class One extends Plugin.Service<One>()("life/One", { exports: [] }) {}
  class Other extends Plugin.Service<Other>()("life/Other", { exports: [] }) {}
  it.live("that is broken, and loaded for two plugins at once, is refused to each by its own name", () =>
    Effect.gen(function* () {
      const module = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 77, 3])
      const errors = yield* Effect.all([Effect.flip(One.make({ module })), Effect.flip(Other.make({ module }))], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        errors.map(({ plugin }) => plugin),
        ["life/One", "life/Other"]
      )
    }).pipe(Effect.scoped, Effect.provide(inApplication))
  )
})
