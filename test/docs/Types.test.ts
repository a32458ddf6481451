import { readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Codec } from "@fiberhost/core"
import { Abi, GuestExecutor, HostFunctions } from "@fiberhost/wasm-host"
import { Effect, Layer, Result } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { toMarkdown, typeTable } from "../fixtures/typeTable.ts"

/** What carries an argument of each kind. */
const carriers = {
  ...{ bool: "i32", i8: "i32", u8: "i32", i16: "i32", u16: "i32", i32: "i32", u32: "i32", i64: "i64", u64: "i64" },
  ...{ f32: "f32", f64: "f64", bytes: "MessagePack" }
}

const page = new URL("../../docs/types.md", import.meta.url)

const Guest = Conformance.layer({ module: conformanceModule }).pipe(
  Layer.provide(Layer.merge(GuestExecutor.layer(), conformanceHost()))
)

describe("docs/types.md", () => {
  it("shows the table that is tested; UPDATE_DOCS=1 writes it", () => {
    const text = readFileSync(page, "utf8")
    const current = text.replace(
      /<!-- table -->[\s\S]*<!-- \/table -->/,
      () => `<!-- table -->\n${toMarkdown(typeTable)}\n<!-- /table -->`
    )
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(page, current)
    assert.strictEqual(readFileSync(page, "utf8"), current)
  })

  layer(Guest)("each row", (it) => {
    it.effect.each(typeTable)("$rust: $example", ({ bytes, carried, echo, schema, value }) =>
      Effect.gen(function* () {
        const codec = Codec.make(schema)
        assert.strictEqual(Result.getOrThrow(Codec.encodeToBytes(codec, value)).toHex(), bytes)
        const [signature] = HostFunctions.Service()("f", [Abi.sync("f", { payload: { value: schema } })]).signatures
        assert.strictEqual(carriers[signature!.arguments[0]!], carried)
        const call: (payload: { readonly value: unknown }) => Effect.Effect<unknown, unknown> = Reflect.get(
          yield* Conformance,
          echo
        )
        assert.deepStrictEqual(yield* call({ value }), value)
      })
    )
  })
})
