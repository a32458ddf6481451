import { assert, describe, it } from "@effect/vitest"
import * as Primitive from "@fiberhost/core/Primitive"
import { Effect, Schema, SchemaTransformation } from "effect"

const { F32, F64, I16, I32, I64, I8, U16, U32, U64, U8 } = Primitive
const kindOf = (schema: Schema.Constraint) => Primitive.kindOf(schema.ast)

describe("Primitive", () => {
  it("admits exactly the values of its kind", () => {
    const table: ReadonlyArray<
      readonly [Schema.Constraint, good: ReadonlyArray<unknown>, bad: ReadonlyArray<unknown>]
    > = [
      [U8, [0, 255], [-1, 256, 0.5, NaN, 1n, "1"]],
      [I8, [-128, 127], [-129, 128, 0.5]],
      [U16, [0, 65_535], [-1, 65_536]],
      [I16, [-32_768, 32_767], [-32_769, 32_768]],
      [U32, [0, 4_294_967_295], [-1, 4_294_967_296, Infinity]],
      [I32, [-2_147_483_648, 2_147_483_647], [-2_147_483_649, 2_147_483_648]],
      [U64, [0n, 2n ** 64n - 1n], [-1n, 2n ** 64n, 1]],
      [I64, [-(2n ** 63n), 2n ** 63n - 1n], [-(2n ** 63n) - 1n, 2n ** 63n, 1]],
      [F32, [0.1, -0, NaN, Infinity, -Infinity, 3.4028234663852886e38], [1e39, -1e300, 1n]],
      [F64, [0.1, -0, NaN, Infinity, -Infinity, 1e300], [1n, "1"]]
    ]
    for (const [schema, good, bad] of table) {
      for (const value of good) assert.isTrue(Schema.is(schema)(value), `${kindOf(schema)} admits ${value}`)
      for (const value of bad) assert.isFalse(Schema.is(schema)(value), `${kindOf(schema)} refuses ${value}`)
    }
  })

  it("keeps its kind through brands, checks, annotations and transformations to other types", () => {
    assert.strictEqual(kindOf(U8), "u8")
    assert.strictEqual(kindOf(U32.pipe(Schema.brand("Id"))), "u32")
    assert.strictEqual(kindOf(I16.check(Schema.isGreaterThan(3))), "i16")
    assert.strictEqual(kindOf(I64.annotate({ title: "Offset" })), "i64")
    assert.strictEqual(kindOf(F32.check(Schema.isGreaterThan(0)).annotate({ title: "Ratio" })), "f32")
    const flags = U8.pipe(
      Schema.decodeTo(
        Schema.Boolean,
        SchemaTransformation.transform({ decode: (n) => (n & 1) === 1, encode: (on) => (on ? 1 : 0) })
      )
    )
    assert.strictEqual(kindOf(flags), "u8")
    assert.strictEqual(kindOf(flags.pipe(Schema.decodeTo(Schema.Boolean))), "u8")
  })

  it("takes Boolean for bool and a Number that may have a fraction for f64", () => {
    assert.strictEqual(kindOf(Schema.Boolean), "bool")
    assert.strictEqual(kindOf(Schema.Number), "f64")
    assert.strictEqual(kindOf(Schema.Finite), "f64")
    assert.strictEqual(kindOf(F64), "f64")
  })

  it("finds no kind in what has no width of its own", () => {
    for (const schema of [
      Schema.Int,
      Schema.BigInt,
      Schema.String,
      Schema.Literal(1),
      Schema.NumberFromString,
      Schema.Void
    ]) {
      assert.isUndefined(kindOf(schema))
    }
  })

  it("tells bare integers apart, so that they can be refused with a hint", () => {
    const group = Schema.Number.check(Schema.isInt().and(Schema.isGreaterThan(0)))
    for (const schema of [Schema.Int, Schema.BigInt, Schema.Int.pipe(Schema.brand("Id")), group]) {
      assert.isTrue(Primitive.isBareInteger(schema.ast))
    }
    for (const schema of [U8, U64, Schema.Number, Schema.String, Schema.Boolean]) {
      assert.isFalse(Primitive.isBareInteger(schema.ast))
    }
  })

  it.effect.prop("generates only values of its kind", [U8, I64, F32], ([byte, wide, float]) =>
    Effect.sync(() => {
      assert.isTrue(Number.isInteger(byte) && byte >= 0 && byte <= 255)
      assert.isTrue(wide >= -(2n ** 63n) && wide < 2n ** 63n)
      assert.isTrue(!Number.isFinite(float) || Number.isFinite(Math.fround(float)))
    })
  )
})
