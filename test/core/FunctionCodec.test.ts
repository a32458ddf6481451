import { assert, describe, it } from "@effect/vitest"
import { CodecError, FunctionCodec } from "@fiberhost/core"
import { Abi, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Result, Schema } from "effect"
import { Rpc, RpcMiddleware } from "effect/rpc"

class Middleware extends RpcMiddleware.Service<Middleware>()("test/Middleware") {}
class Stopped extends Schema.TaggedError<Stopped>()("Stopped", {}) {}

/** The error that making a contract throws: a contract that cannot travel is a bug, found where it is written. */
const thrownBy = (make: () => unknown): CodecError.CodecError => {
  try {
    make()
  } catch (error) {
    assert.instanceOf(error, CodecError.CodecError)
    assert.strictEqual(error.reason._tag, "Unsupported")
    return error
  }
  return assert.fail("it was made")
}

describe("FunctionCodec", () => {
  it("carries each argument by itself, in the order of the payload's fields, and the answer bare", () => {
    const codec = FunctionCodec.make(
      Rpc.make("f", { payload: { b: Schema.Int, a: Schema.String }, success: Schema.Boolean })
    )
    assert.deepStrictEqual(codec.encodeArguments({ a: "x", b: 1 }), Result.succeed([bytes(1), bytes(0xa1, 0x78)]))
    assert.deepStrictEqual(codec.decodeArguments([bytes(1), bytes(0xa1, 0x78)]), Result.succeed({ b: 1, a: "x" }))
    assert.deepStrictEqual(codec.encodeAnswer(Result.succeed(true)), Result.succeed(bytes(0xc3)))
    assert.deepStrictEqual(codec.decodeAnswer(bytes(0xc3)), Result.succeed(Result.succeed(true)))
  })

  it("carries the answer of a function that may fail as a Result", () => {
    const codec = FunctionCodec.make(Rpc.make("f", { success: Schema.Int, error: Schema.String }))
    const ok = bytes(0x81, 0xa2, 0x4f, 0x6b, 0x07)
    const err = bytes(0x81, 0xa3, 0x45, 0x72, 0x72, 0xa1, 0x6e)
    assert.deepStrictEqual(codec.encodeAnswer(Result.succeed(7)), Result.succeed(ok))
    assert.deepStrictEqual(codec.encodeAnswer(Result.fail("n")), Result.succeed(err))
    assert.deepStrictEqual(codec.decodeAnswer(ok), Result.succeed(Result.succeed(7)))
    assert.deepStrictEqual(codec.decodeAnswer(err), Result.succeed(Result.fail("n")))
  })

  it("names the argument that does not fit, on either side", () => {
    const codec = FunctionCodec.make(Rpc.make("f", { payload: { list: Schema.Array(Schema.Int) } }))
    const sent = codec.encodeArguments({ list: [1, 0.5] })
    assert.strictEqual(Result.isFailure(sent) && sent.failure.path, "list[1]")
    const taken = codec.decodeArguments([bytes(0x92, 0x01, 0xa0)])
    assert.strictEqual(Result.isFailure(taken) && taken.failure.path, "list[1]")
    const none = codec.decodeArguments([])
    assert.strictEqual(Result.isFailure(none) && none.failure.path, "list")
  })

  // The compiler refuses most of these: `test/types` shows which. What gets past it is refused here.
  const make = (rpc: Rpc.Any) => () => FunctionCodec.make(rpc)
  const refused: ReadonlyArray<readonly [what: string, make: () => unknown, path: string, hint: RegExp]> = [
    ["a streamed answer", make(Rpc.make("f", { success: Schema.Int, stream: true })), "f", /stream/],
    ["middleware", make(Rpc.make("f").middleware(Middleware)), "f", /middleware/],
    ["a payload that is no struct", make(Rpc.make("f", { payload: Schema.String })), "f", /plain struct/],
    [
      "a payload with a primary key",
      make(Rpc.make("f", { payload: { id: Schema.String }, primaryKey: ({ id }) => id })),
      "f",
      /plain struct/
    ],
    [
      "an optional argument",
      make(Rpc.make("f", { payload: { a: Schema.optionalKey(Schema.Int) } })),
      "f",
      /"a" is optional/
    ],
    [
      "checks on the payload as a whole",
      make(Rpc.make("f", { payload: Schema.Struct({ a: Schema.Int }).check(Schema.makeFilter(() => true)) })),
      "f",
      /check its fields/
    ],
    [
      "an argument without a wire form",
      make(Rpc.make("f", { payload: { a: Schema.Unknown } })),
      "f.a",
      /Name its schema/
    ],
    [
      "a part of an answer without one",
      make(Rpc.make("f", { success: Schema.Struct({ b: Schema.Symbol }) })),
      "f.success.b",
      /symbol/i
    ],
    [
      "two functions of one name",
      () => HostFunctions.Service()("x", [Rpc.make("f"), Rpc.make("f")]),
      "f",
      /two functions/
    ],
    [
      "an integer argument of no width",
      () => HostFunctions.Service()("x", [Rpc.make("f", { payload: { n: Schema.Int } })]),
      "f.n",
      /Abi\.U8/
    ],
    [
      "a 64-bit argument that may be signed or not",
      () => HostFunctions.Service()("x", [Rpc.make("f", { payload: { n: Schema.BigInt } })]),
      "f.n",
      /width matters.*Abi\.I64/
    ],
    [
      "an integer of no width as the answer of a sync function",
      () => Plugin.Service()("x", { exports: [Abi.sync("f", { success: Schema.Int })] }),
      "f.success",
      /Abi\.U8/
    ],
    [
      "an Err for interruption without an error schema",
      () => HostFunctions.Service()("x", [Rpc.make("f").annotate(Abi.OnInterrupt, new Stopped())]),
      "f",
      /error/
    ],
    [
      "a sync function beside one that has the name of its twin",
      () => Plugin.Service()("x", { exports: [Abi.sync("f"), Rpc.make("fUnsafe")] }),
      "fUnsafe",
      /twin/
    ]
  ]
  it.each(refused)("refuses %s, and says where", (_, make, path, hint) => {
    const error = thrownBy(make)
    assert.strictEqual(error.path, path)
    assert.match(error.message, hint)
  })

  it("refuses an Err for interruption that the error schema does not have", () => {
    const make = () =>
      HostFunctions.Service()("x", [Rpc.make("f", { error: Schema.String }).annotate(Abi.OnInterrupt, new Stopped())])
    assert.throws(make, /f\.OnInterrupt/)
  })
})

const bytes = (...values: ReadonlyArray<number>): Uint8Array<ArrayBuffer> => new Uint8Array(values)
