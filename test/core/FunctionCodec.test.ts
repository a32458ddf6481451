import { assert, describe, it } from "@effect/vitest"
import { Codec, CodecError, FunctionCodec, HostPool } from "@fiberhost/core"
import { Abi, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Effect, Option, Result, Schema } from "effect"
import { Rpc, RpcMiddleware } from "effect/rpc"
import { Transferable } from "effect/workers"

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

  it("answers nothing where the contract's answer is void, whatever the function answers", () => {
    const bare = FunctionCodec.make(Rpc.make("f"))
    assert.deepStrictEqual(bare.encodeAnswer(Result.succeed(7)), Result.succeed(bytes(0xc0)))
    const failing = FunctionCodec.make(Rpc.make("f", { error: Schema.String }))
    const answer = Result.flatMap(failing.encodeAnswer(Result.succeed(7)), failing.decodeAnswer)
    assert.deepStrictEqual(answer, Result.succeed(Result.succeed(undefined)))
    const failure = Result.flatMap(failing.encodeAnswer(Result.fail("no")), failing.decodeAnswer)
    assert.deepStrictEqual(failure, Result.succeed(Result.fail("no")))
  })

  describe("in a message of many values", () => {
    const codec = FunctionCodec.make(
      Rpc.make("f", { payload: { b: Schema.Int, a: Schema.String }, success: Schema.Int, error: Schema.String })
    )
    const written = (write: (writer: Codec.Writer) => CodecError.CodecError | undefined) => {
      const writer = new Codec.Writer()
      assert.isUndefined(write(writer))
      return writer.take()
    }

    it("writes each argument's length and value", () => {
      const message = written((writer) => codec.writeArguments({ a: "x", b: 1 }, writer))
      assert.deepStrictEqual(message, bytes(0, 0, 0, 1, 1, 0, 0, 0, 2, 0xa1, 0x78))
      const reader = new Codec.Reader(new Uint8Array([...message, 7]))
      assert.deepStrictEqual(codec.readArguments(reader), Result.succeed({ b: 1, a: "x" }))
      assert.deepStrictEqual([reader.offset, reader.remaining], [11, 1])
    })

    it("writes arguments of any name, reads each once, and says which one failed", () => {
      const names = ['"', "a\\", "\n", "\u2028", "at", "payload", "constructor", "w"]
      const fields = Object.fromEntries(names.map((name) => [name, Schema.Int]))
      const named = FunctionCodec.make(Rpc.make("f", { payload: fields }))
      for (const wrong of [undefined, ...names]) {
        const read: Array<string> = []
        const payload = {}
        for (const name of names) {
          const get = () => {
            read.push(name)
            return name === wrong ? "no" : read.length
          }
          Object.defineProperty(payload, name, { get })
        }
        const writer = new Codec.Writer()
        const refused = named.writeArguments(payload, writer)
        assert.deepStrictEqual(read, wrong === undefined ? names : names.slice(0, names.indexOf(wrong) + 1))
        if (wrong === undefined) {
          assert.deepStrictEqual(writer.take(), bytes(...names.flatMap((_, i) => [0, 0, 0, 1, i + 1])))
        } else {
          assert.strictEqual(refused?.path, wrong)
          assert.strictEqual(writer.size, 0)
        }
      }
    })

    it("finds no argument in a payload that is no object", () => {
      for (const payload of [undefined, null, 7, "payload", (_: unknown) => 0]) {
        const refused = FunctionCodec.make(Rpc.make("f", { payload: { length: Schema.Int } })).writeArguments(
          payload,
          new Codec.Writer()
        )
        assert.deepStrictEqual([refused?.path, refused?.reason._tag], ["length", "DoesNotFit"])
      }
    })

    it("names the argument whose getter throws", () => {
      const payload = {
        get b() {
          throw new Error("mine")
        },
        a: "x"
      }
      const refused = codec.writeArguments(payload, new Codec.Writer())
      assert.deepStrictEqual([refused?.path, refused?.reason._tag], ["b", "Defective"])
    })

    it("writes and refuses what each argument by itself does", () => {
      const payload = {
        "a flag": Schema.Boolean,
        float: Schema.Finite,
        option: Schema.Option(Schema.Struct({ n: Schema.Int })),
        floats: Schema.Array(Schema.Number),
        date: Schema.Date
      }
      const every = FunctionCodec.make(Rpc.make("f", { payload }))
      const values = { "a flag": true, float: 0.5, option: Option.some({ n: 1 }), floats: [1], date: new Date(0) }
      const apart = Result.getOrThrow(every.encodeArguments(values))
      const framed = apart.flatMap((value) => [0, 0, 0, value.length, ...value])
      assert.deepStrictEqual(
        written((writer) => every.writeArguments(values, writer)),
        bytes(...framed)
      )
      for (const name of Object.keys(values)) {
        const wrong = { ...values, [name]: Option.some({ n: "no" }) }
        const refused = Option.getOrThrow(Result.getFailure(every.encodeArguments(wrong)))
        assert.deepStrictEqual(every.writeArguments(wrong, new Codec.Writer()), refused)
      }
    })

    it("names the argument whose length has no room", () => {
      for (let limit = 0; limit < 11; limit++) {
        const refused = codec.writeArguments({ b: 1, a: "x" }, new Codec.Writer(limit))
        assert.strictEqual(refused?.path, limit < 5 ? "b" : "a")
      }
    })

    it("reads on after arguments that do not fit", () => {
      const messages: ReadonlyArray<readonly [what: string, message: ReadonlyArray<number>, path: string]> = [
        ["another type", [0, 0, 0, 1, 0xc0, 0, 0, 0, 2, 0xa1, 0x78], "b"],
        ["trailing bytes", [0, 0, 0, 2, 1, 1, 0, 0, 0, 1, 0xa0], "b"],
        ["a value beyond its length", [0, 0, 0, 1, 1, 0, 0, 0, 1, 0xa1], "a"],
        ["no value", [0, 0, 0, 1, 1, 0, 0, 0, 0], "a"]
      ]
      for (const [what, message, path] of messages) {
        const reader = new Codec.Reader(bytes(...message, 7))
        const payload = codec.readArguments(reader)
        assert.strictEqual(Result.isFailure(payload) && payload.failure.path, path, what)
        assert.deepStrictEqual([reader.offset, reader.remaining], [message.length, 1], what)
      }
    })

    it("stops at the end of a message that is cut off", () => {
      for (const message of [[], [0, 0, 0], [0, 0, 0, 9, 1], [0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xa0]]) {
        const reader = new Codec.Reader(bytes(...message))
        assert.isTrue(Result.isFailure(codec.readArguments(reader)))
        assert.strictEqual(reader.remaining, 0)
      }
    })

    it("takes back arguments that do not fit, and moves nothing", () => {
      const moving = FunctionCodec.make(
        Rpc.make("f", { payload: { memory: Transferable.Uint8Array, pinned: Transferable.Uint8Array } })
      )
      const writer = new Codec.Writer()
      writer.beside = new Codec.Beside()
      writer.u32(1)
      const memory = bytes(1, 2)
      assert.strictEqual(moving.writeArguments({ memory, pinned: 1 }, writer)?.path, "pinned")
      assert.strictEqual(memory.length, 2)
      const pinned = new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer)
      assert.strictEqual(moving.writeArguments({ memory, pinned }, writer)?.path, "pinned")
      assert.deepStrictEqual([writer.size, writer.beside.list], [4, []])
    })

    it("of somebody who knows MessagePack alone, lays nothing beside, and takes nothing that lies there", () => {
      const bin = FunctionCodec.make(Rpc.make("f", { payload: { bytes: Schema.Uint8Array } }))
      const writer = new Codec.Writer()
      writer.beside = new Codec.Beside()
      const large = new Uint8Array(20_000).fill(7)
      const write = (limit: number) => writer.plain(limit, () => bin.writeArguments({ bytes: large }, writer))
      assert.strictEqual(write(20_002)?.reason._tag, "TooLarge")
      assert.isUndefined(write(20_003))
      assert.deepStrictEqual([writer.size, writer.beside.list], [20_007, []])
      assert.isUndefined(bin.writeArguments({ bytes: large }, writer))
      assert.strictEqual(writer.beside.list.length, 1)

      const forged = bytes(0, 0, 0, 15, 0xc7, 12, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
      const reader = new Codec.Reader(new Uint8Array([...forged, ...forged]), [new ArrayBuffer(8)])
      const answered = reader.plain(bin.readArguments)
      assert.strictEqual(Result.isFailure(answered) && answered.failure.reason._tag, "Malformed")
      assert.deepStrictEqual(bin.readArguments(reader), Result.succeed({ bytes: bytes(0) }))
    })

    it("writes the answer without its length, and reads all of the window", () => {
      const message = written((writer) => codec.writeAnswer(Result.succeed(7), writer))
      assert.deepStrictEqual(Result.succeed(message), codec.encodeAnswer(Result.succeed(7)))
      assert.deepStrictEqual(codec.decodeAnswer(message), Result.succeed(Result.succeed(7)))
      const trailing = codec.decodeAnswer(bytes(...message, 0))
      assert.strictEqual(Result.isFailure(trailing) && trailing.failure.reason._tag, "Malformed")
      const writer = new Codec.Writer()
      assert.strictEqual(codec.writeAnswer(Result.succeed("no"), writer)?.path, "Ok")
      assert.strictEqual(writer.size, 0)
      const bare = FunctionCodec.make(Rpc.make("f", { success: Schema.Int }))
      const answer = written((writer) => bare.writeAnswer(Result.succeed(7), writer))
      assert.deepStrictEqual(answer, bytes(7))
      assert.deepStrictEqual(bare.decodeAnswer(answer), Result.succeed(Result.succeed(7)))
    })
  })

  describe("of a streamed answer", () => {
    const definition = Rpc.make("f", { success: Schema.Int, error: Schema.String, stream: true })

    it("carries each element by itself, and an answer without a value for the end", () => {
      const codec = FunctionCodec.make(definition, { streams: true })
      assert.deepStrictEqual([codec.streams, codec.answersResult], [true, true])
      const writer = new Codec.Writer()
      assert.isUndefined(codec.writeElement(7, writer))
      assert.strictEqual(codec.writeElement("no", writer)?.reason._tag, "DoesNotFit")
      const element = writer.take()
      assert.deepStrictEqual(element, bytes(7))
      assert.deepStrictEqual(codec.readElement(new Codec.Reader(element)), Result.succeed(7))
      assert.isTrue(Result.isFailure(codec.readElement(new Codec.Reader(bytes(7, 7)))))
      assert.deepStrictEqual(codec.carryElement(7), Result.succeed(7))
      for (const end of [Result.succeed(undefined), Result.fail("n")]) {
        assert.isUndefined(codec.writeAnswer(end, writer))
        assert.deepStrictEqual(codec.decodeAnswer(writer.take()), Result.succeed(end))
      }
    })

    it("ends bare where the stream cannot fail", () => {
      const endless = Rpc.make("f", { success: Schema.Int, stream: true })
      const codec = FunctionCodec.makeAll([endless], { streams: true }).get("f")!
      assert.isFalse(codec.answersResult)
      assert.deepStrictEqual(codec.encodeAnswer(Result.succeed(undefined)), Result.succeed(bytes(0xc0)))
      assert.deepStrictEqual(codec.decodeAnswer(bytes(0xc0)), Result.succeed(Result.succeed(undefined)))
    })

    it("fails with the function's own error as well", () => {
      const codec = FunctionCodec.make(definition.setError(Schema.Int), { streams: true })
      for (const end of [Result.fail("n"), Result.fail(1)]) {
        assert.deepStrictEqual(Result.flatMap(codec.encodeAnswer(end), codec.decodeAnswer), Result.succeed(end))
      }
    })

    it("is refused where there are no streams", () => {
      assert.isFalse(FunctionCodec.make(Rpc.make("f")).streams)
      assert.match(thrownBy(() => FunctionCodec.makeAll([definition])).message, /stream/)
    })
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
      /plain struct.*without a primaryKey/
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
      "a function of a pool that makes a promise of it",
      () => HostPool.Service()("x", [Rpc.make("then") as never]),
      "then",
      /awaits the pool/
    ],
    [
      "a function of a plugin that makes a promise of it",
      () => Plugin.Service()("x", { exports: [Rpc.make("then") as never] }),
      "then",
      /awaits the plugin/
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

  it("takes a host function named `then`: its service is no promise", async () => {
    class Imports extends HostFunctions.Service<Imports>()("x", [Rpc.make("then", { success: Schema.Int })]) {}
    const layer = Imports.toLayer({ then: () => Effect.succeed(1) })
    const functions = await Effect.runPromise(Effect.provide(Effect.service(Imports), layer))
    assert.deepStrictEqual(Array.from(functions.keys()), ["then"])
  })

  it("refuses an Err for interruption that the error schema does not have", () => {
    const make = () =>
      HostFunctions.Service()("x", [Rpc.make("f", { error: Schema.String }).annotate(Abi.OnInterrupt, new Stopped())])
    assert.throws(make, /f\.OnInterrupt/)
  })
})

const bytes = (...values: ReadonlyArray<number>): Uint8Array<ArrayBuffer> => new Uint8Array(values)
