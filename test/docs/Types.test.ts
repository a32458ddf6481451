import { readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it, layer } from "@effect/vitest"
import { Codec, FunctionCodec } from "@fiberhost/core"
import { Abi, GuestExecutor } from "@fiberhost/wasm-host"
import * as Signature from "@fiberhost/wasm-host/module/Signature"
import { Effect, Layer, Result } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { toMarkdown, typeTable } from "../fixtures/typeTable.ts"

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
        const [kind] = Signature.make(FunctionCodec.make(Abi.sync("f", { payload: { value: schema } }))).arguments
        assert.strictEqual(kind === "bytes" ? "MessagePack" : Signature.valueTypeOf(kind!), carried)
        const call: (payload: { readonly value: unknown }) => Effect.Effect<unknown, unknown> = Reflect.get(
          yield* Conformance,
          echo
        )
        assert.deepStrictEqual(yield* call({ value }), value)
      })
    )
  })
})
