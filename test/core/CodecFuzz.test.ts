import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Codec } from "@fiberhost/core"
import { Arbitrary, Effect, Option, Result, Schema } from "effect"
import { CountingReader, claims } from "../fixtures/frugal.ts"
import { hold, seed, timeout } from "../fixtures/fuzz.ts"
import { atFirst, damage, Mutation } from "../fixtures/mutation.ts"
import { type AnySchema, type Form, forms, isExact, sizeOf, smallForms, toSchema } from "../fixtures/randomSchema.ts"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** What a value of the form is written as; none where two parts of the schema may be nil, and it is refused. */
const codecOf = (form: Form): Option.Option<{ readonly schema: AnySchema; readonly codec: Codec.Codec<unknown> }> => {
  const schema = toSchema(form)
  try {
    return Option.some({ schema, codec: Codec.make(schema) })
  } catch (error) {
    assert.instanceOf(error, Codec.CodecError)
    assert.strictEqual(error.reason._tag, "Unsupported")
    return Option.none()
  }
}

/** Random forms, their codecs and some values of each. */
const inputs = forms.pipe(
  Arbitrary.filterMap((form) =>
    Option.match(codecOf(form), { onNone: () => Result.failVoid, onSome: (made) => Result.succeed({ form, ...made }) })
  ),
  Arbitrary.flatMap(({ form, codec, schema }) =>
    Arbitrary.map(Arbitrary.schema(schema), (value) => ({ form, codec, schema, value }))
  )
)

const show = ({ form, value }: { readonly form: Form; readonly value: unknown }) =>
  `${JSON.stringify(form)}\n${inspect(value, { depth: Infinity })}`

describe("a codec of a small schema", () => {
  it.effect(
    "withstands what nobody honest writes, in its first places",
    () =>
      Effect.forEach(
        smallForms.flatMap((form) => Option.toArray(Option.map(codecOf(form), (made) => ({ form, ...made })))),
        ({ codec, form, schema }) =>
          Effect.map(Arbitrary.sampleEffect(Arbitrary.schema(schema), { count: 3, size: 3, seed }), (values) => {
            const longest = values
              .map((value) => Result.getOrThrow(Codec.encodeToBytes(codec, value)))
              .reduce((one, other) => (other.length > one.length ? other : one))
            for (const bytes of atFirst(longest, 2)) {
              withstands({ codec, form, schema }, bytes)
              if (mayLieBeside(form)) withstands({ codec, form, schema }, bytes, [new ArrayBuffer(8)])
            }
          }),
        { discard: true }
      ),
    timeout
  )
})

describe("a codec of a random schema", () => {
  it.effect(
    "reads what it writes",
    () =>
      hold(
        inputs,
        ({ codec, form, schema, value }) =>
          Effect.sync(() => {
            const bytes = Result.getOrThrow(Codec.encodeToBytes(codec, value))
            const back = Result.getOrThrow(Codec.decodeFromBytes(codec, bytes))
            assert.isTrue(Schema.is(schema)(back), hex(bytes))
            const interpreted = Codec.make(schema, { compile: false })
            assert.strictEqual(hex(Result.getOrThrow(Codec.encodeToBytes(interpreted, value))), hex(bytes))
            const written = Result.getOrThrow(Codec.encodeToBytes(codec, back))
            if (isExact(form)) {
              assert.isTrue(Schema.toEquivalence(schema)(back, value), hex(bytes))
              assert.strictEqual(hex(written), hex(bytes))
            } else {
              // A member of a union may have read what another wrote, in other words: from then on nothing changes.
              const again = Result.getOrThrow(Codec.decodeFromBytes(codec, written))
              assert.strictEqual(hex(Result.getOrThrow(Codec.encodeToBytes(codec, again))), hex(written))
            }
          }),
        { runs: 1500, show }
      ),
    timeout
  )

  it.effect(
    "refuses or writes the value of another schema as the interpreted codec does",
    () =>
      hold(
        Arbitrary.all({ input: inputs, other: inputs }),
        ({ input, other }) =>
          Effect.sync(() => {
            const interpreted = Codec.make(input.schema, { compile: false })
            for (const value of [other.value, [input.value, other.value], { value: input.value, other: other.value }]) {
              const one = Codec.encodeToBytes(input.codec, value)
              assert.deepStrictEqual(said(Codec.encodeToBytes(interpreted, value)), said(one))
            }
          }),
        { runs: 1500, show: ({ input, other }) => `${show(input)}\n${show(other)}` }
      ),
    timeout
  )

  it.effect(
    "given damaged bytes reads a value of its schema or fails as it should, at a cost in proportion",
    () =>
      hold(
        Arbitrary.all({
          input: inputs,
          damages: Arbitrary.array(Arbitrary.array(Arbitrary.schema(Mutation), { minLength: 1, maxLength: 3 }), {
            minLength: 1,
            maxLength: 30
          })
        }),
        ({ damages, input }) =>
          Effect.sync(() => {
            const bytes = Result.getOrThrow(Codec.encodeToBytes(input.codec, input.value))
            for (const mutations of damages) withstands(input, damage(bytes, mutations))
          }),
        {
          runs: 1500,
          show: ({ damages, input }) => `${show(input)}\n${damages.map((all) => JSON.stringify(all)).join("\n")}`
        }
      ),
    timeout
  )
})

/** The fuel of a reader: how often a union may read a byte in vain. */
const again = 64
/** What short values cost beyond their length. */
const few = 64

interface Made {
  readonly form: Form
  readonly codec: Codec.Codec<unknown>
  readonly schema: AnySchema
}

const mayLieBeside = (form: Form): boolean =>
  form._tag === "Leaf" ? form.leaf === "Bytes" : form._tag === "Of" && mayLieBeside(form.form)

const withstands = (made: Made, bytes: Uint8Array, beside?: ReadonlyArray<ArrayBuffer>) => {
  try {
    assertWithstands(made, new CountingReader(bytes, beside))
  } catch (error) {
    throw new Error(`${JSON.stringify(made.form)} reads ${hex(bytes)}`, { cause: error })
  }
}

const assertWithstands = ({ codec, form, schema }: Made, reader: CountingReader) => {
  const { bytes } = reader
  const outcome: { result?: Result.Result<unknown, Codec.CodecError> } = {}
  const { longest, total } = claims(() => {
    outcome.result = codec.decodeWindow(reader)
  })
  const result = outcome.result!
  const plain = new Codec.Reader(bytes, reader.beside)
  assert.deepStrictEqual(said(Codec.make(schema, { compile: false }).decodeWindow(plain)), said(result))
  if (Result.isSuccess(result)) assert.strictEqual(plain.offset, reader.offset)
  const most = again * (bytes.length + few)
  assert.isAtMost(longest, bytes.length + few)
  assert.isAtMost(total, most)
  assert.isAtMost(reader.steps, most * sizeOf(form))
  assert.strictEqual(Reflect.ownKeys(Object.prototype).length, inherited)
  if (Result.isSuccess(result)) {
    assert.isTrue(Schema.is(schema)(result.success))
    assertOrdinary(result.success)
  } else {
    assert.instanceOf(result.failure, Codec.CodecError)
    assert.oneOf(result.failure.reason._tag, ["DoesNotFit", "Malformed", "TooDeep"])
    assert.isAtMost(result.failure.message.length, most)
  }
}

/** What a result shows its reader: the kinds and keys of values, and the words of errors. */
const said = (result: Result.Result<unknown, Codec.CodecError>): string =>
  Result.isSuccess(result) ? inspect(result.success, { depth: Infinity }) : result.failure.message

const inherited = Reflect.ownKeys(Object.prototype).length

/** Nothing in the value inherits from data: what it inherits from has a class. */
const assertOrdinary = (value: unknown): void => {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return
  const prototype: unknown = Object.getPrototypeOf(value)
  assert.isTrue(hasClass(prototype))
  const inside = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value)
  inside.forEach(assertOrdinary)
}

const hasClass = (prototype: unknown): boolean =>
  typeof prototype === "object" &&
  prototype !== null &&
  (prototype.constructor?.prototype === prototype || hasClass(Object.getPrototypeOf(prototype)))
