import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@fiberhost/core/Codec"
import { F32, F64, I32, I64, U8, U16, U32, U64 } from "@fiberhost/core/Primitive"
import {
  Chunk,
  DateTime,
  Duration,
  Effect,
  Equal,
  Hash,
  HashMap,
  HashSet,
  Option,
  Result,
  Schema,
  SchemaGetter,
  SchemaIssue,
  SchemaTransformation
} from "effect"
import { Transferable } from "effect/workers"
import { randomOf } from "../fixtures/random.ts"

// biome-ignore lint/suspicious/noExplicitAny: tables hold schemas and values of every type
type AnySchema = Schema.Codec<any>

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"))
const encode = (schema: AnySchema, value: unknown) => Codec.encodeToBytes(Codec.make(schema), value)
const decode = (schema: AnySchema, bytes: Uint8Array | string) =>
  Codec.decodeFromBytes(Codec.make(schema), typeof bytes === "string" ? unhex(bytes) : bytes)
const encodeHex = (schema: AnySchema, value: unknown) => hex(Result.getOrThrow(encode(schema, value)))
const decodeHex = (schema: AnySchema, bytes: string) => Result.getOrThrow(decode(schema, bytes))
const failure = (result: Result.Result<unknown, Codec.CodecError>) => {
  if (Result.isSuccess(result)) assert.fail(`expected a CodecError, got ${String(result.success)}`)
  assert.instanceOf(result.failure, Codec.CodecError)
  return result.failure
}
const assertFails = (
  result: Result.Result<unknown, Codec.CodecError>,
  tag: Codec.CodecErrorReason["_tag"],
  path = ""
) => {
  const error = failure(result)
  assert.strictEqual(`${error.reason._tag} ${error.path}`, `${tag} ${path}`, error.message)
  return error
}
const unsupported = (schema: AnySchema): Codec.CodecError => {
  try {
    Codec.make(schema)
  } catch (error) {
    assert.instanceOf(error, Codec.CodecError)
    assert.strictEqual(error.reason._tag, "Unsupported")
    return error
  }
  return assert.fail("expected the schema to be refused")
}
/** A check that a value passes; it throws when it has been made more than `most` times. */
const fewTries = (most: number) => {
  let tries = 0
  return Schema.makeFilter(() => {
    if (++tries > most) throw new Error(`tried more than ${most} times`)
    return true
  })
}

const Text = Schema.String.check(Schema.makeFilter((s) => s.isWellFormed()))
const Point = Schema.Struct({ x: Schema.Int, y: Schema.optionalKey(Text) })
class User extends Schema.Class<User>("User")({ name: Schema.String, age: U8 }) {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { code: Schema.Int }) {}
const Shape = Schema.TaggedUnion({ Circle: { r: Schema.Finite }, Rect: { w: Schema.Finite, h: Schema.Finite } })
interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree> = Schema.Struct({
  value: Schema.Int,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})
const External = Schema.Union([
  Schema.Literal("Unit"),
  Schema.Struct({ One: Schema.NullOr(Schema.Int) }),
  Schema.Struct({ Pair: Schema.Tuple([Schema.Int, Text]) }),
  Schema.Struct({ Fields: Schema.Struct({ a: Schema.Boolean }) })
])

describe("Codec", () => {
  for (const compile of [true, false]) {
    it(`writes as many items as it says, whatever their getters do to the array (compile: ${compile})`, () => {
      for (const [schema, isLonger] of [
        [Schema.Array(Schema.Int), true],
        [Schema.Array(Schema.Number), true],
        [Schema.Array(Schema.Int), false],
        [Schema.Array(Schema.Number), false],
        [Schema.TupleWithRest(Schema.Tuple([Schema.Int]), [Schema.Int]), true]
      ] as const) {
        const codec = Codec.make(schema as Schema.Codec<unknown>, { compile })
        const items = [1, 2, 3]
        Object.defineProperty(items, 0, {
          enumerable: true,
          get: () => {
            if (isLonger) items.push(4)
            else items.length = 1
            return 7
          }
        })
        const bytes = Codec.encodeToBytes(codec, items)
        if (isLonger) {
          assert.deepStrictEqual(Codec.decodeFromBytes(codec, Result.getOrThrow(bytes)), Result.succeed([7, 2, 3]))
        } else {
          assert.strictEqual(Result.isFailure(bytes) && bytes.failure.path, "[1]")
        }
      }
    })
  }

  it("is compiled wherever code may be made of text", () => {
    const forbidden = process.execArgv.includes("--disallow-code-generation-from-strings")
    const source = Codec.source(Schema.Struct({ "not a name": Schema.Number }))
    assert.strictEqual(source === undefined, forbidden)
    if (source !== undefined) {
      assert.include(source.decode, 'return { "not a name": v0 }')
      assert.include(source.encode, 'value["not a name"]')
    }
  })

  describe("writes exact bytes and reads them back", () => {
    const instant = new Date("2024-02-29T12:30:45.678Z")
    const instantHex = "b8" + hex(new TextEncoder().encode("2024-02-29T12:30:45.678Z"))
    const table: ReadonlyArray<readonly [name: string, AnySchema, value: unknown, bytes: string]> = [
      ["String", Schema.String, "a", "a161"],
      ["String, empty", Schema.String, "", "a0"],
      ["String, two-byte UTF-8", Schema.String, "é", "a2c3a9"],
      ["String, emoji", Schema.String, "😀", "a4f09f9880"],
      ["String, byte order mark", Schema.String, "\ufeffa", "a4efbbbf61"],
      ["String, 32 bytes", Schema.String, "a".repeat(32), "d920" + "61".repeat(32)],
      ["String, 31 units in 32 bytes", Schema.String, "é" + "a".repeat(30), "d920c3a9" + "61".repeat(30)],
      ["String, 63 bytes", Schema.String, "a".repeat(63), "d93f" + "61".repeat(63)],
      ["String, 63 units in 64 bytes", Schema.String, "a".repeat(62) + "é", "d940" + "61".repeat(62) + "c3a9"],
      ["String, 64 bytes", Schema.String, "a".repeat(64), "d940" + "61".repeat(64)],
      ["String, 256 bytes", Schema.String, "a".repeat(256), "da0100" + "61".repeat(256)],
      ["Boolean", Schema.Boolean, true, "c3"],
      ["Boolean", Schema.Boolean, false, "c2"],
      ["Null", Schema.Null, null, "c0"],
      ["Void", Schema.Void, undefined, "c0"],
      ["Number", Schema.Number, 1, "cb3ff0000000000000"],
      ["Number, NaN", Schema.Number, NaN, "cb7ff8000000000000"],
      ["F64, -0", F64, -0, "cb8000000000000000"],
      ["Finite", Schema.Finite, 0.5, "cb3fe0000000000000"],
      ["F32", F32, 0.5, "ca3f000000"],
      ["F32, Infinity", F32, Infinity, "ca7f800000"],
      ["Int, fixint", Schema.Int, 127, "7f"],
      ["Int, negative fixint", Schema.Int, -32, "e0"],
      ["Int, u8", Schema.Int, 128, "cc80"],
      ["Int, u16", Schema.Int, 256, "cd0100"],
      ["Int, u32", Schema.Int, 65_536, "ce00010000"],
      ["Int, u64", Schema.Int, 2 ** 53 - 1, "cf001fffffffffffff"],
      ["Int, i8", Schema.Int, -33, "d0df"],
      ["Int, i16", Schema.Int, -129, "d1ff7f"],
      ["Int, i32", Schema.Int, -32_769, "d2ffff7fff"],
      ["Int, i64", Schema.Int, -(2 ** 53 - 1), "d3ffe0000000000001"],
      ["U32", U32, 4_294_967_295, "ceffffffff"],
      ["I32", I32, -2_147_483_648, "d280000000"],
      ["BigInt, small", Schema.BigInt, 5n, "05"],
      ["U64", U64, 2n ** 64n - 1n, "cfffffffffffffffff"],
      ["I64", I64, -(2n ** 63n), "d38000000000000000"],
      ["Uint8Array", Schema.Uint8Array, new Uint8Array([1, 2, 3]), "c403010203"],
      ["Date", Schema.Date, instant, instantHex],
      ["DateTimeUtc", Schema.DateTimeUtc, DateTime.makeUnsafe(instant), instantHex],
      ["URL", Schema.URL, new URL("a:b"), "a3613a62"],
      ["Option, none", Schema.Option(Schema.Int), Option.none(), "c0"],
      ["Option, some", Schema.Option(Schema.Int), Option.some(1), "01"],
      ["NullOr", Schema.NullOr(Schema.Int), null, "c0"],
      ["Result, ok", Schema.Result(Schema.Int, Schema.String), Result.succeed(1), "81a24f6b01"],
      ["Result, err", Schema.Result(Schema.Int, Schema.String), Result.fail("e"), "81a3457272a165"],
      ["Result, void", Schema.Result(Schema.Void, Schema.String), Result.succeed(undefined), "81a24f6bc0"],
      ["Result, never", Schema.Result(Schema.Int, Schema.Never), Result.succeed(1), "81a24f6b01"],
      ["Array", Schema.Array(U8), [1, 2, 3], "93010203"],
      ["Array, 16 items", Schema.Array(U8), Array(16).fill(7), "dc0010" + "07".repeat(16)],
      ["Tuple", Schema.Tuple([Schema.Int, Schema.String]), [1, "a"], "9201a161"],
      ["Tuple with rest", Schema.TupleWithRest(Schema.Tuple([Schema.String]), [Schema.Int]), ["a", 1, 2], "93a1610102"],
      ["Struct", Point, { x: 1, y: "a" }, "82a17801a179a161"],
      ["Struct, absent key", Point, { x: 1 }, "81a17801"],
      ["Struct, schema order", Schema.Struct({ b: Schema.Int, a: Schema.Int }), { a: 1, b: 2 }, "82a16202a16101"],
      ["Record", Schema.Record(Schema.String, Schema.Int), { a: 1 }, "81a16101"],
      ["ReadonlyMap, integer keys", Schema.ReadonlyMap(Schema.Int, Schema.String), new Map([[1, "a"]]), "8101a161"],
      [
        "ReadonlyMap, bigint keys",
        Schema.ReadonlyMap(U64, Schema.Int),
        new Map([[2n ** 63n, 1]]),
        "81cf800000000000000001"
      ],
      ["ReadonlySet", Schema.ReadonlySet(Schema.Int), new Set([1, 2]), "920102"],
      ["Literal, string", Schema.Literal("a"), "a", "a161"],
      ["Literal, integer", Schema.Literal(300), 300, "cd012c"],
      ["Literal, bigint", Schema.Literal(300n), 300n, "cd012c"],
      ["Enum", Schema.Enum({ A: 0, B: "b" }), "b", "a162"],
      ["Template literal", Schema.TemplateLiteral(["n", Schema.Int]), "n5", "a26e35"],
      ["TaggedUnion", Shape, { _tag: "Circle", r: 1 }, "82a45f746167a6436972636c65a172cb3ff0000000000000"],
      ["externally tagged, unit", External, "Unit", "a4556e6974"],
      ["externally tagged, newtype", External, { One: 1 }, "81a34f6e6501"],
      ["externally tagged, none inside", External, { One: null }, "81a34f6e65c0"],
      ["externally tagged, tuple", External, { Pair: [1, "a"] }, "81a4506169729201a161"],
      ["Class", User, new User({ name: "a", age: 3 }), "82a46e616d65a161a361676503"],
      [
        "suspend",
        Tree,
        { value: 1, children: [{ value: 2, children: [] }] },
        "82a576616c756501a86368696c6472656e9182a576616c756502a86368696c6472656e90"
      ],
      ["encodeKeys", Schema.Struct({ a: Schema.Int }).pipe(Schema.encodeKeys({ a: "A" })), { a: 1 }, "81a14101"],
      ["decodeTo", Schema.NumberFromString, 12, "a23132"],
      ["brand and check", Schema.Int.check(Schema.isGreaterThan(0)).pipe(Schema.brand("Id")), 1, "01"]
    ]
    for (const [name, schema, value, bytes] of table) {
      it(`${name}: ${bytes.slice(0, 24)}`, () => {
        assert.strictEqual(encodeHex(schema, value), bytes)
        assert.deepStrictEqual(decodeHex(schema, bytes), value)
      })
    }

    it("HashMap, HashSet, Chunk", () => {
      const map = HashMap.make(["a", 1])
      assert.strictEqual(encodeHex(Schema.HashMap(Schema.String, Schema.Int), map), "81a16101")
      assert.isTrue(Equal.equals(decodeHex(Schema.HashMap(Schema.String, Schema.Int), "81a16101"), map))
      assert.isTrue(Equal.equals(decodeHex(Schema.HashSet(Schema.Int), "9101"), HashSet.make(1)))
      assert.isTrue(Equal.equals(decodeHex(Schema.Chunk(Schema.Int), "9101"), Chunk.make(1)))
    })

    it("a tagged error, as an instance", () => {
      const bytes = encodeHex(Refused, new Refused({ code: 3 }))
      const error = decodeHex(Refused, bytes)
      assert.instanceOf(error, Refused)
      assert.strictEqual(error.code, 3)
    })

    it("a class under Option and as a type", () => {
      const user = new User({ name: "a", age: 3 })
      for (const schema of [Schema.Option(User), Schema.Option(Schema.toType(User))]) {
        const back = Option.getOrThrow(decodeHex(schema, encodeHex(schema, Option.some(user))) as Option.Option<User>)
        assert.instanceOf(back, User)
        assert.deepStrictEqual({ ...back }, { ...user })
      }
    })
  })

  describe("reads what a guest may write", () => {
    const table: ReadonlyArray<readonly [name: string, AnySchema, bytes: string, value: unknown]> = [
      ["an integer where a float is due", Schema.Number, "cd0100", 256],
      ["a float32 where a float64 is due", Schema.Number, "ca3f000000", 0.5],
      ["a float64 where a float32 is due", F32, "cb3fb999999999999a", Math.fround(0.1)],
      ["an integer longer than it needs", U8, "d30000000000000005", 5],
      ["a small integer as bigint", U64, "05", 5n],
      ["bin32", Schema.Uint8Array, "c60000000101", new Uint8Array([1])],
      [
        "str8, array32, map32",
        Schema.Array(Schema.Record(Schema.String, Schema.Int)),
        "dd00000001df00000001d9016101",
        [{ a: 1 }]
      ],
      ["keys in any order", Point, "82a179a161a17801", { x: 1, y: "a" }],
      ["unknown keys, of any content", Point, "83a17a94c7010500a0d40101c0a17801a16bcb3ff0000000000000", { x: 1 }],
      ["nil for an absent key", Point, "82a17801a179c0", { x: 1 }],
      ["nil for an absent optional", Schema.Struct({ a: Schema.optional(Schema.Int) }), "81a161c0", {}],
      [
        "nil for a key that may be null",
        Schema.Struct({ a: Schema.optionalKey(Schema.NullOr(Schema.Int)) }),
        "81a161c0",
        { a: null }
      ],
      ["a left out Option", Schema.Struct({ a: Schema.Option(Schema.Int) }), "80", { a: Option.none() }],
      ["a left out NullOr", Schema.Struct({ a: Schema.NullOr(Schema.Int) }), "80", { a: null }],
      [
        "a left out NullOr that is suspended",
        Schema.Struct({ a: Schema.suspend(() => Schema.NullOr(Schema.Int)) }),
        "80",
        { a: null }
      ],
      ["a left out UndefinedOr", Schema.Struct({ a: Schema.UndefinedOr(Schema.Int) }), "80", { a: undefined }],
      [
        "a key with a default",
        Schema.Struct({ a: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7))) }),
        "80",
        { a: 7 }
      ],
      ["a tag that comes last", Shape, "82a172cb3ff0000000000000a45f746167a6436972636c65", { _tag: "Circle", r: 1 }],
      ["an integer as the integer member", Schema.Union([Schema.Number, Schema.BigInt]), "05", 5n],
      [
        "an offset and nanoseconds",
        Schema.Date,
        "d923" + hex(new TextEncoder().encode("2024-01-01T01:00:00.123456789+01:00")),
        new Date("2024-01-01T00:00:00.123Z")
      ],
      [
        "lower case and no fraction",
        Schema.Date,
        "b4" + hex(new TextEncoder().encode("2024-01-01t00:00:00z")),
        new Date("2024-01-01T00:00:00Z")
      ],
      [
        "a year below 100",
        Schema.Date,
        "b4" + hex(new TextEncoder().encode("0050-01-01T00:00:00Z")),
        new Date("0050-01-01T00:00:00Z")
      ]
    ]
    for (const [name, schema, bytes, value] of table) {
      it(name, () => assert.deepStrictEqual(decodeHex(schema, bytes), value))
    }
  })

  describe("leaves out what is absent", () => {
    it("an undefined field, optional or not", () => {
      assert.strictEqual(encodeHex(Schema.Struct({ a: Schema.optional(Schema.Int) }), { a: undefined }), "80")
      assert.strictEqual(encodeHex(Schema.Struct({ a: Schema.UndefinedOr(Schema.Int) }), { a: undefined }), "80")
    })
    it("but writes an Option as nil", () => {
      assert.strictEqual(encodeHex(Schema.Struct({ a: Schema.Option(Schema.Int) }), { a: Option.none() }), "81a161c0")
    })
    it("and what a transformation omits", () => {
      const schema = Schema.Struct({
        a: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7), { encodingStrategy: "omit" }))
      })
      assert.strictEqual(encodeHex(schema, { a: 7 }), "80")
    })
    it("and a key that only its transformation needs", () => {
      const schema = Schema.Struct({
        a: Schema.String.pipe(
          Schema.decodeTo(Schema.optionalKey(Schema.String), {
            decode: SchemaGetter.transformOptional((text: Option.Option<string>) =>
              Option.filter(text, (s) => s !== "")
            ),
            encode: SchemaGetter.transformOptional((text: Option.Option<string>) => Option.orElseSome(text, () => ""))
          })
        )
      })
      assert.strictEqual(encodeHex(schema, {}), "81a161a0")
      assert.strictEqual(encodeHex(schema, { a: undefined }), "81a161a0")
      assert.deepStrictEqual(decodeHex(schema, "81a161a0"), {})
    })
    it("and an undefined value that its transformation writes as null", () => {
      const schema = Schema.Struct({
        a: Schema.NullOr(Schema.String).pipe(
          Schema.decodeTo(Schema.optional(Schema.String), {
            decode: SchemaGetter.transform((text: string | null) => text ?? undefined),
            encode: SchemaGetter.transform((text: string | undefined) => text ?? null)
          })
        )
      })
      assert.strictEqual(encodeHex(schema, { a: undefined }), "81a161c0")
      assert.deepStrictEqual(decodeHex(schema, "81a161c0"), { a: undefined })
      assertFails(encode(schema, {}), "DoesNotFit", "a")
    })
    it("and an undefined value that its transformation writes as a word, or leaves out", () => {
      const schema = Schema.Struct({
        a: Schema.optional(Schema.String).pipe(
          Schema.decodeTo(Schema.optional(Schema.String), {
            decode: SchemaGetter.transform((text: string | undefined) => (text === "none" ? undefined : text)),
            encode: SchemaGetter.transform((text: string | undefined) => (text === "b" ? undefined : (text ?? "none")))
          })
        )
      })
      assert.strictEqual(encodeHex(schema, { a: undefined }), "81a161a46e6f6e65")
      assert.deepStrictEqual(decodeHex(schema, "81a161a46e6f6e65"), { a: undefined })
      for (const value of [{ a: "b" }, {}]) assert.strictEqual(encodeHex(schema, value), "80")
    })
    it("optional tuple elements", () => {
      const schema = Schema.Tuple([Schema.Int, Schema.optionalKey(Schema.Int)])
      assert.strictEqual(encodeHex(schema, [1]), "9101")
      assert.deepStrictEqual(decodeHex(schema, "9101"), [1])
    })
    it("-0 as Int is 0", () => {
      assert.strictEqual(encodeHex(Schema.Int, -0), "00")
    })
  })

  describe("round trips", () => {
    const schemas: { readonly [name: string]: AnySchema } = {
      Text,
      F64,
      U16,
      I64,
      Bytes: Schema.Array(Schema.Uint8Array),
      Point,
      Shape,
      External,
      Tree,
      "Option of Result": Schema.Option(Schema.Result(Schema.Void, U8)),
      Map: Schema.ReadonlyMap(
        Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 2n ** 64n - 1n })),
        Schema.NullOr(U8)
      ),
      Record: Schema.Record(Text, U32),
      Instants: Schema.Array(
        Schema.Date.check(
          Schema.isBetweenDate({ minimum: new Date("0000-01-01T00:00:00Z"), maximum: new Date("9999-01-01T00:00:00Z") })
        )
      ),
      "Union by wire type": Schema.Union([Schema.Uint8Array, I64, Schema.Boolean, Schema.Null, Schema.Array(U8), Point])
    }
    for (const [name, schema] of Object.entries(schemas)) {
      it.effect.prop(name, { value: schema }, ({ value }) =>
        Effect.sync(() => {
          const bytes = Result.getOrThrow(encode(schema, value))
          const back = Result.getOrThrow(decode(schema, bytes))
          assert.isTrue(Schema.is(schema)(back))
          assert.strictEqual(hex(Result.getOrThrow(encode(schema, back))), hex(bytes))
          assert.isTrue(Schema.toEquivalence(schema)(back, value), hex(bytes))
        })
      )
    }
  })

  describe("carries the encoded side of", () => {
    const Renamed = Schema.Struct({ first: Schema.Int, at: Schema.Date }).pipe(Schema.encodeKeys({ first: "1st" }))
    class Event extends Schema.Class<Event>("Event")(
      Schema.Struct({
        at: Schema.DateTimeUtcFromMillis,
        note: Schema.OptionFromOptionalKey(Schema.FiniteFromString)
      })
    ) {}
    const table: ReadonlyArray<readonly [name: string, AnySchema, value: unknown, wire: AnySchema, encoded: unknown]> =
      [
        [
          "renamed keys",
          Renamed,
          { first: 1, at: new Date(0) },
          Schema.Struct({ "1st": Schema.Int, at: Schema.Date }),
          { "1st": 1, at: new Date(0) }
        ],
        [
          "a class of transformations",
          Event,
          new Event({ at: DateTime.makeUnsafe(5), note: Option.some(1) }),
          Schema.Struct({ at: Schema.Int, note: Schema.String }),
          { at: 5, note: "1" }
        ],
        [
          "a class without its optional key",
          Event,
          new Event({ at: DateTime.makeUnsafe(5), note: Option.none() }),
          Schema.Struct({ at: Schema.Int }),
          { at: 5 }
        ],
        ["OptionFromNullOr", Schema.OptionFromNullOr(Schema.Int), Option.none(), Schema.Null, null],
        [
          "OptionFromOptional",
          Schema.Struct({ a: Schema.OptionFromOptional(Schema.Int) }),
          { a: Option.none() },
          Schema.Struct({}),
          {}
        ],
        [
          "an optional transformation",
          Schema.Struct({ a: Schema.optionalKey(Schema.FiniteFromString) }),
          { a: 2 },
          Schema.Struct({ a: Schema.String }),
          { a: "2" }
        ],
        [
          "one that is absent",
          Schema.Struct({ a: Schema.optionalKey(Schema.FiniteFromString) }),
          {},
          Schema.Struct({}),
          {}
        ],
        [
          "an optional element",
          Schema.Tuple([Schema.Int, Schema.optionalKey(Schema.FiniteFromString)]),
          [1, 2],
          Schema.Tuple([Schema.Int, Schema.String]),
          [1, "2"]
        ],
        [
          "a record of template keys",
          Schema.Record(Schema.TemplateLiteral(["n", Schema.Int]), Schema.FiniteFromString),
          { n1: 1 },
          Schema.Record(Schema.String, Schema.String),
          { n1: "1" }
        ],
        [
          "a record of literal keys",
          Schema.Record(Schema.Literals(["a", "b"]), Schema.Int),
          { a: 1, b: 2 },
          Schema.Struct({ a: Schema.Int, b: Schema.Int }),
          { a: 1, b: 2 }
        ],
        [
          "a record of transformed keys",
          Schema.Record(Schema.String.pipe(Schema.decode(SchemaTransformation.snakeToCamel())), Schema.Int),
          { fooBar: 1 },
          Schema.Record(Schema.String, Schema.Int),
          { foo_bar: 1 }
        ],
        [
          "a map of transformed entries",
          Schema.ReadonlyMap(Schema.FiniteFromString, Schema.Option(Schema.Date)),
          new Map([[1, Option.some(new Date(0))]]),
          Schema.Record(Schema.String, Schema.Date),
          { 1: new Date(0) }
        ],
        ["bytes as base64", Schema.Uint8ArrayFromBase64, new Uint8Array([1]), Schema.String, "AQ=="],
        [
          "JSON in a string",
          Schema.fromJsonString(Schema.Struct({ a: Schema.Int })),
          { a: 1 },
          Schema.String,
          '{"a":1}'
        ],
        [
          "a cause as JSON in a string",
          Schema.fromJsonString(Schema.Defect()),
          new Error("outer", { cause: new RangeError("inner") }),
          Schema.String,
          '{"name":"Error","message":"outer","cause":{"name":"RangeError","message":"inner"}}'
        ],
        ["a bit", Schema.BooleanFromBit, true, U8, 1],
        ["a duration in milliseconds", Schema.DurationFromMillis, Duration.millis(5), Schema.Number, 5],
        ["a non-empty array", Schema.NonEmptyArray(Schema.Int), [1], Schema.Array(Schema.Int), [1]],
        [
          "an opaque struct",
          class A extends Schema.Opaque<A>()(Schema.Struct({ a: Schema.Int })) {},
          { a: 1 },
          Schema.Struct({ a: Schema.Int }),
          { a: 1 }
        ],
        [
          "an adjacently tagged union",
          Schema.Union([
            Schema.Struct({ t: Schema.tag("A"), c: Schema.Int }),
            Schema.Struct({ t: Schema.tag("B"), c: User })
          ]),
          { t: "B", c: new User({ name: "a", age: 1 }) },
          Schema.Struct({ t: Schema.String, c: Schema.Struct({ name: Schema.String, age: U8 }) }),
          { t: "B", c: { name: "a", age: 1 } }
        ]
      ]
    for (const [name, schema, value, wire, encoded] of table) {
      it(name, () => {
        assert.strictEqual(encodeHex(schema, value), encodeHex(wire, encoded))
        const back = decodeHex(schema, encodeHex(schema, value))
        assert.isTrue(Schema.is(schema)(back))
        assert.isTrue(Schema.toEquivalence(schema)(back, value))
      })
    }
    it("a struct with rest", () => {
      const schema = Schema.StructWithRest(Schema.Struct({ a: Schema.Int }), [Schema.Record(Schema.String, Schema.Int)])
      assert.strictEqual(encodeHex(schema, { b: 2, a: 1 }), "82a16101a16202")
      assert.deepStrictEqual(decodeHex(schema, "82a16202a16101"), { a: 1, b: 2 })
    })
  })

  describe("refuses values that do not fit", () => {
    const Files = Schema.Struct({
      files: Schema.Array(Schema.Struct({ name: Schema.String, bytes: Schema.Uint8Array, size: U8 }))
    })
    const file = { name: "a", bytes: new Uint8Array(), size: 1 }
    const table: ReadonlyArray<readonly [name: string, AnySchema, value: unknown, path: string]> = [
      ["a lone surrogate", Schema.String, "\ud800", ""],
      ["a lone surrogate in a long string", Schema.String, "a".repeat(100) + "\udc00", ""],
      ["a fraction as Int", Schema.Int, 0.5, ""],
      ["an integer out of range", U8, 256, ""],
      ["a bigint out of range", Schema.BigInt, 2n ** 64n, ""],
      ["a bigint out of range, below", Schema.BigInt, -(2n ** 63n) - 1n, ""],
      ["an f32 out of range", F32, 1e300, ""],
      ["NaN as Finite", Schema.Finite, NaN, ""],
      ["a float under an Int check", F64.check(Schema.isInt()), 0.5, ""],
      ["an invalid date", Schema.Date, new Date(NaN), ""],
      ["a date beyond year 9999", Schema.Date, new Date(8.64e15), ""],
      ["a check", Schema.Struct({ a: Schema.Int.check(Schema.isGreaterThan(3)) }), { a: 1 }, "a"],
      [
        "a check of a struct",
        Schema.Struct({ a: Point.check(Schema.makeFilter((p) => p.x > 3)) }),
        { a: { x: 1 } },
        "a"
      ],
      ["a part deep inside", Files, { files: [file, file, file, { ...file, bytes: "no" }] }, "files[3].bytes"],
      ["a missing field", Files, { files: [{ name: "a" }] }, "files[0].bytes"],
      ["a map's value", Schema.ReadonlyMap(Schema.String, U8), new Map([["a b", 999]]), '["a b"]'],
      ["a result's side", Schema.Result(U8, Schema.String), Result.succeed(999), "Ok"],
      ["no member of a union", Schema.Union([Schema.Int, Schema.String]), true, ""],
      ["a tagged member's field", Shape, { _tag: "Rect", w: 1, h: "2" }, "h"],
      ["a tuple of the wrong length", Schema.Tuple([Schema.Int]), [1, 2], ""],
      ["a class's look-alike", User, { name: "a", age: 1 }, ""],
      ["a struct that is null", Point, null, ""],
      ["a template literal", Schema.TemplateLiteral(["n", Schema.Int]), "x", ""]
    ]
    for (const [name, schema, value, path] of table) {
      it(name, () => {
        const error = assertFails(encode(schema, value), "DoesNotFit", path)
        assert.strictEqual(error.direction, "encode")
      })
    }

    it("and says what, where, and what to do", () => {
      const { message } = failure(encode(Files, { files: [{ ...file, size: 300 }] }))
      assert.strictEqual(
        message,
        "Cannot encode the value at files[0].size: it does not fit its schema (Expected an integer from 0 to 255). Correct the value or the schema."
      )
    })

    it("and names the kind of a value, never what it holds", () => {
      const { message } = failure(encode(Schema.Int, { constructor: { name: "secret" } }))
      assert.include(message, "Expected an integer, got Object")
    })
    it("cyclic and deep data", () => {
      const cyclic = { value: 1, children: [] as Array<unknown> }
      cyclic.children.push(cyclic)
      assert.strictEqual(failure(encode(Tree, cyclic)).reason._tag, "TooDeep")
    })

    it("more bytes than the limit, and rewinds the writer", () => {
      const writer = new Codec.Writer(10)
      const codec = Codec.make(Schema.Struct({ a: Schema.String }))
      assert.isTrue(Result.isSuccess(codec.encode({ a: "b" }, writer)))
      assert.strictEqual(writer.size, 5)
      const error = assertFails(codec.encode({ a: "c".repeat(40) }, writer), "TooLarge", "a")
      assert.deepInclude(error.reason, { limit: 10 })
      assert.strictEqual(writer.size, 5)
      assert.strictEqual(hex(writer.take()), "81a161a162")
      assert.strictEqual(writer.size, 0)
    })
  })

  describe("refuses bytes that do not fit", () => {
    const table: ReadonlyArray<
      readonly [name: string, AnySchema, bytes: string, reason: "DoesNotFit" | "Malformed", path: string]
    > = [
      ["nothing", Schema.Int, "", "Malformed", ""],
      ["trailing bytes", Schema.Int, "0101", "Malformed", ""],
      ["the unused byte c1", Schema.Int, "c1", "Malformed", ""],
      ["c1 in an unknown key", Point, "82a17801a17ac1", "Malformed", "z"],
      ["a float as Int", Schema.Int, "cb3ff0000000000000", "Malformed", ""],
      ["an integer beyond 2^53 as number", Schema.Number, "cf0020000000000000", "DoesNotFit", ""],
      ["an integer beyond 2^53 as Int", Schema.Int, "d3ffe0000000000000", "DoesNotFit", ""],
      ["an integer out of range", U8, "cd0100", "DoesNotFit", ""],
      ["a u64 as I64", I64, "cf8000000000000000", "DoesNotFit", ""],
      ["an infinity as Finite", Schema.Finite, "cb7ff0000000000000", "DoesNotFit", ""],
      ["a float64 beyond f32", F32, "cb7e37e43c8800759c", "DoesNotFit", ""],
      ["a string as Int", Point, "81a178a161", "Malformed", "x"],
      ["invalid UTF-8", Schema.String, "a2c328", "Malformed", ""],
      ["an encoded surrogate", Schema.String, "a3eda080", "Malformed", ""],
      ["a truncated string", Schema.String, "a561", "Malformed", ""],
      ["a truncated float", Schema.Number, "cb00", "Malformed", ""],
      ["bin for an array", Schema.Array(U8), "c403010203", "Malformed", ""],
      ["a string for bytes", Schema.Uint8Array, "a161", "Malformed", ""],
      ["a missing key", Schema.Struct({ a: Point }), "81a16180", "DoesNotFit", "a.x"],
      ["a key that comes twice", Point, "82a17801a17802", "Malformed", "x"],
      ["a record's key that comes twice", Schema.Record(Schema.String, Schema.Int), "82a16101a16102", "Malformed", "a"],
      ["a map's key that comes twice", Schema.ReadonlyMap(Schema.Int, Schema.Int), "8201010102", "Malformed", "[1]"],
      ["a key that is no string", Point, "8101a161", "Malformed", ""],
      ["a result with two keys", Schema.Result(Schema.Int, Schema.Int), "82a24f6b01a345727202", "Malformed", ""],
      ["a result with another key", Schema.Result(Schema.Int, Schema.Int), "81a16101", "Malformed", ""],
      ["a result's side that is never", Schema.Result(Schema.Int, Schema.Never), "81a3457272c0", "Malformed", "Err"],
      ["a tuple of the wrong length", Schema.Tuple([Schema.Int]), "920101", "Malformed", ""],
      [
        "a date that is none",
        Schema.Date,
        "b4" + hex(new TextEncoder().encode("2023-02-29T00:00:00Z")),
        "DoesNotFit",
        ""
      ],
      [
        "a date whose offset leads to a year before 0000",
        Schema.Date,
        "b9" + hex(new TextEncoder().encode("0000-01-01T00:00:00+00:01")),
        "DoesNotFit",
        ""
      ],
      ["a check", Schema.Array(Schema.Int.check(Schema.isGreaterThan(3))), "920401", "DoesNotFit", "[1]"],
      ["a check of a class", Schema.Struct({ u: User }), "81a17582a46e616d65a161a3616765cd0100", "DoesNotFit", "u.age"],
      ["an unknown tag", Shape, "81a45f746167a158", "Malformed", ""],
      ["a tagged member's field", Shape, "82a45f746167a6436972636c65a172a161", "Malformed", "r"],
      ["a literal", Schema.Literals(["a", "b"]), "a163", "DoesNotFit", ""],
      ["a transformed value", Schema.Struct({ n: Schema.FiniteFromString }), "81a16ea178", "DoesNotFit", "n"],
      ["a template literal", Schema.TemplateLiteral(["n", Schema.Int]), "a178", "DoesNotFit", ""],
      ["a URL", Schema.URL, "a178", "DoesNotFit", ""]
    ]
    for (const [name, schema, bytes, reason, path] of table) {
      it(name, () => {
        const error = assertFails(decode(schema, bytes), reason, path)
        assert.strictEqual(error.direction, "decode")
      })
    }

    it("without repeating a hostile key at length", () => {
      const bytes = Result.getOrThrow(
        encode(Schema.Record(Schema.String, Schema.String), { ["k".repeat(100_000)]: "" })
      )
      assert.isBelow(failure(decode(Schema.Record(Schema.String, Schema.Int), bytes)).message.length, 300)
    })

    it("without repeating a hostile word at length", () => {
      const bytes = Result.getOrThrow(encode(Schema.String, "w".repeat(100_000)))
      assert.isBelow(failure(decode(Schema.Literals(["a", "b"]), bytes)).message.length, 300)
    })

    it("with the offset", () => {
      const { reason } = failure(decode(Schema.Array(Schema.Int), "9301a16102"))
      assert.deepInclude(reason, { _tag: "Malformed", offset: 2, message: "an integer is due, not str" })
    })
  })

  describe("stays cheap on hostile bytes", () => {
    it("never allocates for a length that is not there", () => {
      for (const header of ["ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff", "dcffff", "deffff"]) {
        for (const schema of [
          Schema.Array(Schema.Int),
          Schema.Record(Schema.String, Schema.Int),
          Schema.String,
          Schema.Uint8Array,
          Tree
        ]) {
          assertFails(decode(schema, header), "Malformed")
          assertFails(decode(Point, "81a17a" + header), "Malformed", "z")
        }
      }
    })

    it("skips any depth of what is unknown", () => {
      const depth = 1_000_000
      const bytes = new Uint8Array(depth + 7)
      bytes.set(unhex("82a17801a17a"))
      bytes.fill(0x91, 6, depth + 6)
      bytes[depth + 6] = 0xc0
      assert.deepStrictEqual(Result.getOrThrow(decode(Point, bytes)), { x: 1 })
    })

    it("bounds the depth of what is known", () => {
      interface Nest extends ReadonlyArray<Nest> {}
      const Nest: Schema.Codec<Nest> = Schema.Array(Schema.suspend((): Schema.Codec<Nest> => Nest))
      assert.strictEqual(failure(decode(Nest, new Uint8Array(100_000).fill(0x91))).reason._tag, "TooDeep")
    })

    it("bounds the tries of an ambiguous recursive union, read and written", () => {
      type Fork = number | readonly [Fork, number] | readonly [Fork, string]
      const Ref = Schema.suspend((): Schema.Codec<Fork> => Fork)
      const Fork: Schema.Codec<Fork> = Schema.Union([
        Schema.Int.check(fewTries(100_000)),
        Schema.Tuple([Ref, Schema.Int]),
        Schema.Tuple([Ref, Schema.String])
      ])
      const depth = 60
      const bytes = new Uint8Array(depth + 1 + depth * 2)
      bytes.fill(0x92, 0, depth)
      for (let at = depth + 1; at < bytes.length; at += 2) bytes.set([0xa1, 0x61], at)
      assertFails(decode(Fork, bytes), "Malformed", failure(decode(Fork, bytes)).path)
      let value: Fork = 1
      for (let i = 0; i < depth; i++) value = [value, "a"]
      assert.strictEqual(failure(encode(Fork, value)).reason._tag, "DoesNotFit")
      const shallow = Result.getOrThrow(encode(Fork, [[1, "a"], "b"]))
      assert.deepStrictEqual(Result.getOrThrow(decode(Fork, shallow)), [[1, "a"], "b"])
    })

    it("refuses a text that a template literal could be split into in too many ways, read and written", () => {
      const { String: Text, TemplateLiteral } = Schema
      const picture = TemplateLiteral([Text, "-", Text, "+", Text, "x"])
      const table: ReadonlyArray<readonly [schema: AnySchema, text: string]> = [
        [picture, "-+".repeat(5_000)],
        [TemplateLiteral([picture, "-", picture]), "-+".repeat(50)],
        [TemplateLiteral([Schema.Union([picture, Schema.Int]), "-"]), "-+".repeat(5_000)],
        [TemplateLiteral([Text, Text, Text, "x"]), "x".repeat(5_000)],
        [TemplateLiteral([Text, Schema.Int]), "1".repeat(5_000)],
        [TemplateLiteral([Text.check(Schema.isMinLength(1)), "", Schema.BigInt]), "1".repeat(5_000)]
      ]
      for (const [schema, text] of table) {
        const bytes = Result.getOrThrow(encode(Text, text))
        assert.include(assertFails(decode(schema, bytes), "DoesNotFit").message, "fewer ways")
        assert.include(assertFails(encode(schema, text), "DoesNotFit").message, "fewer ways")
        const keys = Result.getOrThrow(encode(Schema.Record(Text, Schema.Int), { [text]: 1 }))
        const record = Schema.Record(schema as Schema.String, Schema.Int)
        assert.include(failure(decode(record, keys)).message, "fewer ways")
        assert.include(failure(encode(record, { [text]: 1 })).message, "fewer ways")
      }
    })

    it("reads a long text of a template literal whose words are few", () => {
      const long = "/".repeat(100_000)
      const table: ReadonlyArray<readonly [schema: AnySchema, text: string]> = [
        [Schema.TemplateLiteral(["data:", Schema.String, ";base64,", Schema.String]), `data:x;base64,${long}`],
        [Schema.TemplateLiteral([Schema.String, "/", Schema.String]), long],
        [Schema.TemplateLiteral([Schema.String, "-", Schema.Int, "-", Schema.String, ".png"]), `${long}-1-.png`],
        [Schema.TemplateLiteral([Schema.String, Schema.String]), long]
      ]
      for (const [schema, text] of table) {
        assert.strictEqual(Result.getOrThrow(decode(schema, Result.getOrThrow(encode(schema, text)))), text)
      }
    })

    it("reads the last of many members that begin alike, as often as it comes", () => {
      const numbers = Array.from({ length: 100 }, (_, i) => i)
      const tagged = numbers.map((tag) => Schema.Tuple([Schema.Literal(tag), Schema.Int]))
      const schema = Schema.Struct({
        literals: Schema.Array(Schema.Literals(numbers)),
        tuples: Schema.Array(Schema.Union(tagged))
      })
      const value = { literals: new Array<number>(1000).fill(99), tuples: new Array<unknown>(1000).fill([99, 1]) }
      assert.deepStrictEqual(Result.getOrThrow(decode(schema, Result.getOrThrow(encode(schema, value)))), value)
    })

    it("bounds the keys that have one hash", () => {
      const words = new DataView(new ArrayBuffer(8))
      const colliding = (i: number) => {
        words.setInt32(0, 0x4000_0000 + i)
        // What the upper word adds to Effect's hash, the lower one takes away.
        words.setInt32(4, Math.imul(i, 0x5fb934ad))
        return words.getFloat64(0)
      }
      const keys = Array.from({ length: 3000 }, (_, i) => colliding(i + 1))
      assert.strictEqual(new Set(keys.map(Hash.hash)).size, 1)
      const set = Result.getOrThrow(encode(Schema.Array(Schema.Number), keys))
      assertFails(decode(Schema.HashSet(Schema.Number), set), "Malformed")
      const map = Result.getOrThrow(
        encode(Schema.ReadonlyMap(Schema.Number, Schema.Void), new Map(keys.map((key) => [key, undefined])))
      )
      assertFails(decode(Schema.HashMap(Schema.Number, Schema.Void), map), "Malformed")
      const few = Result.getOrThrow(encode(Schema.Array(Schema.Number), keys.slice(0, 100)))
      assert.strictEqual(HashSet.size(Result.getOrThrow(decode(Schema.HashSet(Schema.Number), few))), 100)
      const same = Result.getOrThrow(encode(Schema.Array(Schema.Int), new Array<number>(3000).fill(1)))
      assert.strictEqual(HashSet.size(Result.getOrThrow(decode(Schema.HashSet(Schema.Int), same))), 1)
    })

    it("tells members apart by literals of every kind", () => {
      const schema = Schema.Union(
        [0.5, 1, 2n, true, "x"].map((kind) => Schema.Struct({ kind: Schema.Literal(kind), v: Schema.Int }))
      )
      for (const kind of [0.5, 1, 2n, true, "x"]) {
        assert.deepStrictEqual(decodeHex(schema, encodeHex(schema, { kind, v: 1 })), { kind, v: 1 })
      }
    })

    it("reads long externally tagged lists without trying", () => {
      type List = "Nil" | { readonly Cons: readonly [number, List] } | { readonly Skip: List }
      const Ref = Schema.suspend((): Schema.Codec<List> => List)
      const List: Schema.Codec<List> = Schema.Union([
        Schema.Literal("Nil"),
        Schema.Struct({ Skip: Ref }),
        Schema.Struct({ Cons: Schema.Tuple([Schema.Int, Ref]) })
      ])
      let list: List = "Nil"
      for (let i = 0; i < 80; i++) list = { Cons: [i, list] }
      assert.deepStrictEqual(Result.getOrThrow(decode(List, Result.getOrThrow(encode(List, list)))), list)
    })

    it("treats __proto__, constructor and toString as ordinary keys", () => {
      const Numbers = Schema.Record(Schema.String, Schema.Int)
      const bytes = "82a95f5f70726f746f5f5f01ab636f6e7374727563746f7202"
      const value = decodeHex(Numbers, bytes)
      assert.deepStrictEqual(Object.keys(value), ["__proto__", "constructor"])
      assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
      assert.strictEqual(encodeHex(Numbers, value), bytes)
      const Inherited = Schema.Struct({
        toString: Schema.optionalKey(Schema.Int),
        constructor: Schema.optionalKey(Schema.Int)
      })
      assert.strictEqual(encodeHex(Inherited, {}), "80")
      assert.deepStrictEqual(decodeHex(Point, "82a17801a95f5f70726f746f5f5f81a16101"), { x: 1 })
    })

    it("copies bytes out of its input", () => {
      const input = unhex("c403010203")
      const out = Result.getOrThrow(decode(Schema.Uint8Array, input)) as Uint8Array
      input.fill(0)
      assert.deepStrictEqual(out, new Uint8Array([1, 2, 3]))
      assert.strictEqual(out.buffer.byteLength, 3)
      const codec = Codec.make(Schema.Int)
      const first = Result.getOrThrow(Codec.encodeToBytes(codec, 1))
      Result.getOrThrow(Codec.encodeToBytes(codec, 2))
      assert.strictEqual(hex(first), "01")
      assert.strictEqual(first.buffer.byteLength, 1)
    })

    it("reads from a view into a larger buffer", () => {
      const memory = unhex("ffff82a17801a179a161ffff")
      assert.deepStrictEqual(Result.getOrThrow(decode(Point, memory.subarray(2, 10))), { x: 1, y: "a" })
    })

    it("answers mutated bytes with a value that the schema admits, or with an error", () => {
      const samples: ReadonlyArray<readonly [AnySchema, unknown]> = [
        [
          Tree,
          {
            value: 1,
            children: [
              { value: 2, children: [] },
              { value: 300, children: [] }
            ]
          }
        ],
        [Shape, { _tag: "Rect", w: 1, h: 2 }],
        [
          Schema.ReadonlyMap(Schema.String, Schema.Option(U8)),
          new Map([
            ["a", Option.some(1)],
            ["b", Option.none()]
          ])
        ],
        [
          Schema.Struct({ a: Schema.Result(User, External), b: Schema.optional(Schema.Date) }),
          { a: Result.succeed(new User({ name: "é", age: 1 })), b: new Date(0) }
        ],
        [
          Schema.Record(Schema.String, Schema.Union([F32, Schema.Uint8Array, Schema.String])),
          { a: 1, b: new Uint8Array(4), c: "d" }
        ]
      ]
      const next = randomOf(12345)
      const random = (below: number) => Math.floor(next() * below)
      let accepted = 0
      for (const [schema, value] of samples) {
        const bytes = Result.getOrThrow(encode(schema, value))
        const is = Schema.is(schema)
        for (let i = 0; i < 4000; i++) {
          const mutant = bytes.slice(0, random(8) === 0 ? random(bytes.length) : bytes.length)
          for (let n = random(3); n >= 0 && mutant.length > 0; n--) mutant[random(mutant.length)] = random(256)
          const result = decode(schema, mutant)
          if (Result.isFailure(result)) continue
          accepted++
          assert.isTrue(is(result.success), hex(mutant))
        }
      }
      assert.isAbove(accepted, 100)
    })
  })

  describe("between threads", () => {
    const large = () => new Uint8Array(20_000).fill(7)
    const beside = () => {
      const writer = new Codec.Writer()
      const { list, transfer } = (writer.beside = new Codec.Beside())
      return { writer, lists: { beside: list, transfer } }
    }
    const written = (schema: AnySchema, value: unknown) => {
      const { lists, writer } = beside()
      Result.getOrThrow(Codec.make(schema).encode(value, writer))
      return { bytes: writer.take(), ...lists }
    }
    const read = (schema: AnySchema, bytes: Uint8Array, list?: ReadonlyArray<unknown>) =>
      Codec.make(schema).decode(new Codec.Reader(bytes, list))

    it("lays a copy of large bytes beside the message, and gives it without copying again", () => {
      const memory = new Uint8Array(20_010).fill(7)
      for (const value of [memory.subarray(10), new Uint8Array(new SharedArrayBuffer(20_000)).fill(7)]) {
        const schema = Schema.Struct({ a: Schema.Uint8Array, b: Schema.Uint8Array })
        const { beside, bytes, transfer } = written(schema, { a: value, b: new Uint8Array([1]) })
        assert.isBelow(bytes.length, 40)
        assert.deepStrictEqual(beside, [large().buffer])
        assert.strictEqual(beside[0], transfer[0])
        assert.strictEqual(value.length, 20_000)
        const back = Result.getOrThrow(read(schema, bytes, beside)) as {
          readonly a: Uint8Array
          readonly b: Uint8Array
        }
        assert.deepStrictEqual(back, { a: large(), b: new Uint8Array([1]) })
        assert.strictEqual(back.a.buffer, beside[0])
      }
    })

    it("writes bytes below 16 KiB, and all bytes where nothing can lie beside them", () => {
      assert.deepStrictEqual(written(Schema.Uint8Array, new Uint8Array(16_383)).beside, [])
      assert.strictEqual(written(Schema.Uint8Array, new Uint8Array(16_384)).beside.length, 1)
      assert.strictEqual(Result.getOrThrow(encode(Schema.Uint8Array, large())).length, 20_003)
    })

    it("takes back what lies beside a value that did not fit", () => {
      const { lists, writer } = beside()
      const codec = Codec.make(Schema.Array(Schema.Uint8Array))
      Result.getOrThrow(codec.encode([large()], writer))
      const mark = writer.size
      assertFails(codec.encode([large(), large(), "no" as never], writer), "DoesNotFit", "[2]")
      assert.deepStrictEqual([writer.size, lists.beside.length, lists.transfer.length], [mark, 1, 1])
      Result.getOrThrow(codec.encode([large()], writer))
      writer.beside?.lay("x", false, writer.size)
      assert.deepStrictEqual([lists.beside.length, lists.transfer.length], [3, 2])
      writer.rewind(mark)
      assert.deepStrictEqual([lists.beside.length, lists.transfer.length], [1, 1])
    })

    it("tells large bytes apart in a union, and takes back what a member wrote in vain", () => {
      const schema = Schema.Union([
        Schema.Struct({ v: Schema.Union([Schema.String, Schema.Uint8Array]), n: Schema.Int }),
        Schema.Struct({ v: Schema.Union([Schema.Uint8Array, Schema.Int]), n: Schema.String })
      ])
      const value = { v: large(), n: "x" }
      const { beside, bytes, transfer } = written(schema, value)
      assert.deepStrictEqual([beside.length, transfer.length], [1, 1])
      assert.deepStrictEqual(Result.getOrThrow(read(schema, bytes, beside)), value)
    })

    it("refuses what does not lie beside the bytes", () => {
      const { bytes } = written(Schema.Uint8Array, large())
      const lists = [undefined, [], [new ArrayBuffer(19_999)], ["no"], [large()], [new SharedArrayBuffer(20_000)]]
      for (const list of lists) assertFails(read(Schema.Uint8Array, bytes, list), "Malformed")
      for (const offset of [1, 0xffff_ffff]) {
        const shifted = bytes.slice()
        new DataView(shifted.buffer).setUint32(7, offset)
        assertFails(read(Schema.Uint8Array, shifted, [large().buffer]), "Malformed")
      }
      for (let length = 0; length < bytes.length; length++) {
        assertFails(read(Schema.Uint8Array, bytes.subarray(0, length), [large().buffer]), "Malformed")
      }
      const other = bytes.slice()
      other[2] = 1
      assertFails(read(Schema.Uint8Array, other, [large().buffer]), "Malformed")
      const unknown = new Uint8Array([...unhex("82a17801a17a"), ...bytes])
      assert.deepStrictEqual(Result.getOrThrow(read(Point, unknown)), { x: 1 })
    })

    it("takes bytes for what they are, whatever their properties say", () => {
      class Liar extends Uint8Array {
        override get length() {
          return 60
        }
        override get byteLength() {
          return 60
        }
        override get byteOffset() {
          return 7
        }
      }
      const liar = new Liar([1, 2, 3, 4])
      // What it was used for before must not be seen.
      const used = new Codec.Writer()
      Result.getOrThrow(Codec.make(Schema.String).encode("the password of another call, longer than it says", used))
      used.reset()
      Result.getOrThrow(Codec.make(Schema.Uint8Array).encode(liar, used))
      assert.deepStrictEqual(used.take(), new Uint8Array([0xc4, 4, 1, 2, 3, 4]))
      const { beside, bytes } = written(Transferable.Uint8Array, liar)
      assert.deepStrictEqual(read(Transferable.Uint8Array, bytes, beside), Result.succeed(new Uint8Array([1, 2, 3, 4])))
    })

    describe("moves a Transferable.Uint8Array", () => {
      const Moved = Transferable.Uint8Array
      const Holder = Schema.Struct({ a: Moved.annotate({ title: "moved" }), n: Schema.Int })

      it("of any size, with its offset, once all of the value has been written", () => {
        const memory = new Uint8Array([0, 1, 2, 3])
        const { lists, writer } = beside()
        assertFails(Codec.make(Holder).encode({ a: memory.subarray(1), n: 0.5 }, writer), "DoesNotFit", "n")
        assert.strictEqual(memory.length, 4)
        assert.deepStrictEqual(lists, { beside: [], transfer: [] })
        Result.getOrThrow(Codec.make(Holder).encode({ a: memory.subarray(1), n: 1 }, writer))
        assert.strictEqual(memory.length, 0)
        assert.deepStrictEqual(lists.transfer, [new Uint8Array([0, 1, 2, 3]).buffer])
        const back = Result.getOrThrow(read(Holder, writer.take(), lists.beside)) as { readonly a: Uint8Array }
        assert.deepStrictEqual<object>(back, { a: new Uint8Array([1, 2, 3]), n: 1 })
        assert.strictEqual(back.a.buffer, lists.transfer[0])
      })

      it("that a union tries twice, and views of one buffer", () => {
        const schema = Schema.Union([
          Schema.Struct({ a: Moved, n: Schema.Int }),
          Schema.Struct({ a: Moved, b: Moved, n: Schema.String })
        ])
        const memory = new Uint8Array([1, 2, 3])
        const { beside, bytes, transfer } = written(schema, { a: memory.subarray(1), b: memory.subarray(2), n: "x" })
        assert.strictEqual(memory.length, 0)
        assert.deepStrictEqual([beside.length, transfer.length], [1, 1])
        const back = { a: new Uint8Array([2, 3]), b: new Uint8Array([3]), n: "x" }
        assert.deepStrictEqual(Result.getOrThrow(read(schema, bytes, beside)), back)
      })

      it("but copies shared memory, and detaches nothing where nothing can lie beside the bytes", () => {
        const shared = new Uint8Array(new SharedArrayBuffer(3))
        assert.strictEqual(hex(written(Moved, shared).bytes), "c403000000")
        const memory = new Uint8Array([1, 2, 3])
        assert.strictEqual(encodeHex(Moved, memory), "c403010203")
        assert.deepStrictEqual(decodeHex(Moved, "c403010203"), memory)
        assert.strictEqual(encodeHex(Holder, { a: memory, n: 1 }), "82a161c403010203a16e01")
      })

      it("and refuses one that cannot be moved, alone", () => {
        const { lists, writer } = beside()
        const codec = Codec.make(Holder)
        Result.getOrThrow(codec.encode({ a: new Uint8Array([1]), n: 1 }, writer))
        const mark = writer.size
        const gone = new Uint8Array(1)
        gone.buffer.transfer()
        assertFails(codec.encode({ a: gone, n: 1 }, writer), "DoesNotFit", "a")
        for (const pinned of [new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer), Buffer.from("pool")]) {
          const { message } = assertFails(codec.encode({ a: pinned, n: 1 } as never, writer), "DoesNotFit")
          assert.match(message, /can be moved/)
          assert.isAbove(pinned.length, 0)
        }
        assert.deepStrictEqual([writer.size, lists.beside.length, lists.transfer.length], [mark, 1, 1])
      })

      it("under a check", () => {
        const schema = Moved.check(Schema.makeFilter((bytes) => bytes.length < 3))
        const one = written(schema, new Uint8Array([1]))
        assert.strictEqual(one.beside.length, 1)
        assert.deepStrictEqual(Result.getOrThrow(read(schema, one.bytes, one.beside)), new Uint8Array([1]))
        const refused = new Uint8Array(3)
        assertFails(Codec.make(schema).encode(refused, beside().writer), "DoesNotFit")
        assert.strictEqual(refused.length, 3)
      })
    })

    describe("carries what only the structured clone can", () => {
      const Module = Codec.cloned(
        (u): u is WebAssembly.Module => u instanceof WebAssembly.Module,
        "a WebAssembly.Module"
      )
      const module = new WebAssembly.Module(unhex("0061736d01000000"))

      it("beside the bytes", () => {
        const schema = Schema.Struct({ module: Module, also: Schema.Union([Schema.Uint8Array, Module]) })
        const { beside, bytes, transfer } = written(schema, { module, also: module })
        assert.deepStrictEqual(transfer, [])
        assert.deepStrictEqual(Result.getOrThrow(read(schema, bytes, beside)), { module, also: module })
      })

      it("and nowhere else", () => {
        const error = assertFails(encode(Schema.Struct({ module: Module }), { module }), "DoesNotFit", "module")
        assert.match(error.message, /only be sent between threads/)
        assertFails(encode(Module, 1), "DoesNotFit")
        const { bytes } = written(Module, module)
        assertFails(read(Module, bytes, ["no"]), "DoesNotFit")
        assertFails(read(Module, bytes, []), "Malformed")
        assertFails(read(Module, bytes), "Malformed")
        assertFails(read(Module, unhex("c0"), [module]), "Malformed")
      })
    })

    it("reads each value of a message through a window of one reader", () => {
      const writer = new Codec.Writer(0x7fff_ffff)
      const codec = Codec.make(Point)
      const at = writer.placeholder32()
      Result.getOrThrow(codec.encode({ x: 1, y: "a" }, writer))
      writer.patch32(at, writer.size - 4)
      writer.raw(unhex("a2c3"))
      writer.u32(0xffff_fffe)
      const reader = new Codec.Reader(new Uint8Array(writer.takeBuffer()))
      assert.strictEqual(writer.size, 0)
      const length = reader.u32()
      reader.window(4, 4 + length)
      assert.strictEqual(reader.remaining, length)
      assert.deepStrictEqual(codec.decodeWindow(reader), Result.succeed({ x: 1, y: "a" }))
      reader.window(4 + length, 4 + length + 2)
      assertFails(Codec.make(Schema.String).decode(reader), "Malformed")
      reader.window(4 + length, reader.bytes.length)
      assert.strictEqual(hex(reader.raw(2)), "a2c3")
      assert.strictEqual(reader.u32(), 0xffff_fffe)
      assert.throws(() => reader.u32())
      reader.window(4, 4 + length - 1)
      assertFails(codec.decodeWindow(reader), "Malformed", "y")
    })
  })

  describe("refuses schemas without a rule when the codec is made", () => {
    const Fn = Schema.declare((u): u is () => void => typeof u === "function")
    const table: ReadonlyArray<readonly [name: string, AnySchema, path: string, hint: RegExp]> = [
      ["Unknown", Schema.Struct({ a: Schema.Unknown }), "a", /Name its schema.*Codec\.cloned/],
      ["Any", Schema.Array(Schema.Any), "[0]", /Name its schema/],
      ["Symbol", Schema.Symbol, "", /string literal/],
      ["Never", Schema.Never, "", /side of a Result/],
      ["a function", Schema.Struct({ f: Fn }), "f", /decodeTo/],
      ["a typed array", Schema.instanceOf(Float64Array), "", /Codec\.cloned/],
      ["Duration", Schema.Duration, "", /DurationFromMillis/],
      ["BigDecimal", Schema.BigDecimal, "", /BigDecimalFromString/],
      ["Redacted", Schema.Redacted(Schema.String), "", /redact after decoding/],
      ["RegExp", Schema.RegExp, "", /source and flags/],
      ["Exit", Schema.Exit(Schema.Int, Schema.String, Schema.Defect()), "", /Schema\.Result/],
      ["Defect", Schema.Struct({ cause: Schema.Defect() }), "cause", /fromJsonString\(Schema\.Defect\(\)\)/],
      ["a record's value", Schema.Record(Schema.String, Schema.Unknown), "*", /Name its schema/],
      ["Option of Option", Schema.Struct({ a: Schema.Option(Schema.Option(Schema.Int)) }), "a", /nil/],
      ["Option of NullOr", Schema.Option(Schema.NullOr(Schema.Int)), "", /nil/],
      ["NullOr of NullOr", Schema.NullOr(Schema.Option(Schema.Int)), "", /nil/],
      ["NullishOr in an array", Schema.Array(Schema.NullishOr(Schema.Int)), "[0]", /nil/],
      ["a symbol key", Schema.Struct({ [Symbol.for("k")]: Schema.Int }), "[Symbol(k)]", /strings/],
      [
        "behind a suspend",
        Schema.Struct({ a: Schema.suspend(() => Schema.Struct({ b: Schema.Unknown })) }),
        "a.b",
        /Name its schema/
      ]
    ]
    for (const [name, schema, path, hint] of table) {
      it(name, () => {
        const error = unsupported(schema)
        assert.strictEqual(error.path, path)
        assert.match((error.reason as Codec.Unsupported).hint, hint)
        unsupported(schema)
      })
    }

    it("a transformation of a recursive union that only trying tells apart", () => {
      const both = (tag: (name: string) => Schema.Struct.Fields) => {
        const Ref = Schema.suspend((): AnySchema => Node)
        const Node: AnySchema = Schema.Union([
          Schema.Struct({ ...tag("A"), next: Schema.NullOr(Ref), n: Schema.Int }).pipe(Schema.encodeKeys({ n: "N" })),
          Schema.Struct({ ...tag("B"), next: Schema.NullOr(Ref), n: Schema.String.check(fewTries(10_000)) }).pipe(
            Schema.encodeKeys({ n: "N" })
          )
        ]) as never
        return Node
      }
      assert.match((unsupported(both(() => ({}))).reason as Codec.Unsupported).hint, /literal tag/)
      const Alike: AnySchema = Schema.Union([
        Schema.NullOr(Schema.Struct({ next: Schema.suspend((): AnySchema => Alike), n: Schema.Int })),
        Schema.Struct({ next: Schema.suspend((): AnySchema => Alike), n: Schema.String })
      ])
      assert.match((unsupported(Schema.fromJsonString(Alike)).reason as Codec.Unsupported).hint, /literal tag/)
      const tagged = both((name) => ({ t: Schema.Literal(name) }))
      let value: unknown = null
      for (let i = 0; i < 60; i++) value = { t: "B", next: value, n: "x" }
      assert.deepStrictEqual(decodeHex(tagged, encodeHex(tagged, value)), value)
    })

    it("a text of one, whose members may all begin to parse it", () => {
      const text = (one: string, other: string) => {
        const Ref = Schema.suspend((): AnySchema => Node)
        const Node: AnySchema = Schema.Union([
          Schema.Struct({ [one]: Schema.Literal("a"), next: Schema.NullOr(Ref) }),
          Schema.Struct({ [other]: Schema.Literal("b"), next: Schema.NullOr(Ref) })
        ]) as never
        return Schema.fromJsonString(Node)
      }
      assert.match((unsupported(text("t", "u")).reason as Codec.Unsupported).hint, /literal tag/)
      const tagged = text("t", "t")
      const value = { t: "a", next: { t: "b", next: null } }
      assert.deepStrictEqual(decodeHex(tagged, encodeHex(tagged, value)), value)
      const Apart: AnySchema = Schema.Union([
        Schema.Struct({ not: Schema.suspend((): AnySchema => Apart), id: Schema.Int }),
        Schema.Struct({ all: Schema.Array(Schema.suspend((): AnySchema => Apart)), id: Schema.Int })
      ])
      const all = { all: [], id: 1 }
      assert.deepStrictEqual(decodeHex(Schema.fromJsonString(Apart), encodeHex(Schema.fromJsonString(Apart), all)), all)
    })

    it("but not of one whose members begin with different literals", () => {
      const expression = (rest: (name: string) => Schema.Struct.Fields) => {
        const Ref = Schema.suspend((): AnySchema => Node)
        const Node: AnySchema = Schema.Union([
          Schema.Struct({ ...rest("a"), op: Schema.Literals(["add", "subtract"]), left: Ref, right: Ref }),
          Schema.Struct({ ...rest("b"), op: Schema.Literals(["negate", "abs"]), left: Ref }),
          Schema.Struct({ op: Schema.Literal("one") })
        ]) as never
        return Schema.fromJsonString(Node)
      }
      const text = expression(() => ({}))
      const one = { op: "one" }
      const value = { op: "add", left: { op: "abs", left: one }, right: one }
      assert.deepStrictEqual(decodeHex(text, encodeHex(text, value)), value)
      const later = expression((name) => ({ [name]: Schema.Int }))
      assert.match((unsupported(later).reason as Codec.Unsupported).hint, /literal tag/)
    })

    it("but not of one in which a single member is recursive", () => {
      const Folder: AnySchema = Schema.Struct({
        name: Schema.String,
        entries: Schema.Array(Schema.suspend((): AnySchema => Entry))
      }) as never
      const Entry: AnySchema = Schema.Union([Schema.Struct({ name: Schema.String, bytes: Schema.Int }), Folder])
      const text = Schema.fromJsonString(Entry)
      const value = {
        name: "a",
        entries: [
          { name: "b", bytes: 1 },
          { name: "c", entries: [] }
        ]
      }
      assert.deepStrictEqual(decodeHex(text, encodeHex(text, value)), value)
    })

    it("but a null and an undefined field can be told apart", () => {
      const schema = Schema.Struct({ a: Schema.optional(Schema.NullOr(Schema.Int)) })
      assert.deepStrictEqual(decodeHex(schema, encodeHex(schema, { a: null })), { a: null })
      assert.deepStrictEqual(decodeHex(schema, encodeHex(schema, {})), {})
    })
  })

  describe("runs the schema's own functions", () => {
    const through = (decode: SchemaGetter.Getter<string, string>) =>
      Schema.Struct({
        a: Schema.String.pipe(Schema.decodeTo(Schema.String, { decode, encode: SchemaGetter.passthrough() }))
      }) as unknown as AnySchema
    const bytes = "81a161a162"

    it("a transformation that refuses", () => {
      const schema = through(
        SchemaGetter.transformEffect((s: string) =>
          Effect.fail(new SchemaIssue.InvalidValue({ message: "not today" }, s))
        )
      )
      const error = assertFails(decode(schema, bytes), "DoesNotFit", "a")
      assert.deepInclude(error.reason, { message: "not today" })
    })
    it("one that throws", () => {
      const thrown = new Error("boom")
      const schema = through(
        SchemaGetter.transform((): string => {
          throw thrown
        })
      )
      assert.strictEqual((assertFails(decode(schema, bytes), "Defective", "a").reason as Codec.Defective).cause, thrown)
    })
    it("one that waits", () => {
      const schema = through(SchemaGetter.transformEffect((s: string) => Effect.as(Effect.sleep("1 hour"), s)))
      assertFails(decode(schema, bytes), "Asynchronous", "a")
    })
    it("one that needs a service", () => {
      const schema = through(
        SchemaGetter.transformEffect(
          (s: string) => Effect.map(Effect.service(DateTime.CurrentTimeZone), () => s) as never
        )
      )
      assertFails(decode(schema, bytes), "Defective", "a")
    })
    it("one that recovers from what another refuses", () => {
      const schema = Schema.Struct({
        a: Schema.FiniteFromString.pipe(Schema.catchDecoding(() => Effect.succeedSome(0)))
      })
      assert.deepStrictEqual(decodeHex(schema, bytes), { a: 0 })
    })
    it("one that needs a service does not compile", () => {
      const schema = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.transformEffect((s: string) => Effect.as(Effect.service(DateTime.CurrentTimeZone), s)),
          encode: SchemaGetter.passthrough()
        })
      )
      // @ts-expect-error the codec could not provide the service
      Codec.make(schema)
    })
    it("a check whose words are cut in the middle of a character", () => {
      const schema = Schema.String.check(Schema.makeFilter((s) => s.length < 4 || `too long: ${s.slice(0, 3)}`))
      const { message } = assertFails(encode(schema, "ab😀cd"), "DoesNotFit")
      assert.include(message, "too long: ab\ufffd")
      assert.isTrue(message.isWellFormed())
    })
    it("a check that throws", () => {
      const schema = Schema.Int.check(
        Schema.makeFilter(() => {
          throw new Error("boom")
        })
      )
      assertFails(encode(schema, 1), "Defective")
      assertFails(decode(schema, "01"), "Defective")
    })
    it("a getter of the value that throws", () => {
      const value = {
        get x() {
          throw new Error("boom")
        }
      }
      assertFails(encode(Point, value), "Defective", "x")
    })
    it("a transformation that encodes something itself", () => {
      const inner = Codec.make(Schema.Array(Schema.Int))
      const schema = Schema.Uint8Array.pipe(
        Schema.decodeTo(
          Schema.Array(Schema.Int),
          SchemaTransformation.transform({
            decode: (bytes) => Result.getOrThrow(Codec.decodeFromBytes(inner, bytes)),
            encode: (ints) => Result.getOrThrow(Codec.encodeToBytes(inner, ints))
          })
        )
      )
      const nested = Schema.Struct({ a: Schema.String, b: schema })
      assert.deepStrictEqual(decodeHex(nested, encodeHex(nested, { a: "x", b: [1, 2] })), { a: "x", b: [1, 2] })
    })
    it("a flipped schema with checks", () => {
      const schema = Schema.flip(Schema.NumberFromString.check(Schema.isGreaterThan(3)))
      assert.strictEqual(encodeHex(schema, "4"), "cb4010000000000000")
      assertFails(decode(schema, "cb3ff0000000000000"), "DoesNotFit")
    })
    it("oneOf unions", () => {
      const schema = Schema.Union([Schema.Struct({ a: Schema.Int }), Schema.Struct({ b: Schema.Int })], {
        mode: "oneOf"
      })
      assert.deepStrictEqual(decodeHex(schema, "81a16101"), { a: 1 })
      assertFails(decode(schema, "82a16101a16201"), "DoesNotFit")
      assertFails(encode(schema, { a: 1, b: 1 }), "DoesNotFit")
    })
    it("a declaration with a toCodec annotation", () => {
      class Celsius {
        readonly degrees: number
        constructor(degrees: number) {
          this.degrees = degrees
        }
      }
      const schema = Schema.instanceOf(Celsius, {
        toCodec: () =>
          Schema.link<Celsius>()(
            Schema.Finite,
            SchemaTransformation.transform({ decode: (n) => new Celsius(n), encode: (c) => c.degrees })
          )
      })
      assert.strictEqual(encodeHex(schema, new Celsius(1)), "cb3ff0000000000000")
      assert.deepStrictEqual(decodeHex(schema, "cb3ff0000000000000"), new Celsius(1))
    })
  })
})
