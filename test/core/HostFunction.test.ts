import { assert, describe, it } from "@effect/vitest"
import { Codec, FunctionCodec, HostCallError, HostFunction } from "@fiberhost/core"
import { Exit, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"

describe("HostFunction", () => {
  const codec = FunctionCodec.make(Rpc.make("f", { success: Schema.Int }))
  const reader = (...values: ReadonlyArray<number>) => new Codec.Reader(new Uint8Array(values))

  it("reads on after an answer that does not fit", () => {
    const message = reader(0, 0, 0, 1, 0xa0, 0, 0, 0, 1, 7)
    const refused = Option.getOrThrow(Exit.findErrorOption(HostFunction.readAnswer(codec, message)))
    assert.instanceOf(refused, HostCallError.HostCallError)
    assert.strictEqual(refused.reason._tag, "AnswerRefused")
    assert.deepStrictEqual(HostFunction.readAnswer(codec, message), Exit.succeed(7))
  })

  it("takes a message that is cut off for no answer", () => {
    assert.throws(() => HostFunction.readAnswer(codec, reader(0, 0, 0, 9, 7)))
  })
})
