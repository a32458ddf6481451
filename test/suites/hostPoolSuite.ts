import { assert, describe, it } from "@effect/vitest"
import { HostCallError, HostPool } from "@fiberhost/core"
import { Effect, type Layer, Schema, SchemaTransformation } from "effect"
import { Rpc } from "effect/rpc"

export class TooSmall extends Schema.TaggedError<TooSmall>()("TooSmall", { least: Schema.Int }) {}

/** What the pools of this suite do; a pool over threads runs the same handlers. */
export class Work extends HostPool.Service<Work>()("suite/Work", [
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Int, error: TooSmall }),
  Rpc.make("die", { payload: { message: Schema.String }, success: Schema.Int }),
  Rpc.make("refuse", { success: Schema.Int.check(Schema.isLessThan(10)) }),
  Rpc.make("interrupt"),
  Rpc.make("nothing")
]) {}

export const handlers = {
  double: ({ n }: { readonly n: number }) =>
    n < 0 ? Effect.fail(new TooSmall({ least: 0 })) : Effect.as(Effect.yieldNow, 2 * n),
  die: ({ message }: { readonly message: string }) => Effect.die(new Error(message)),
  refuse: () => Effect.succeed(10),
  interrupt: () => Effect.interrupt,
  nothing: () => Effect.void
}

/** What a host pool promises, wherever it runs its functions. */
export const hostPoolSuite = (name: string, layer: Layer.Layer<Work>) =>
  describe(name, () => {
    const failure = <A>(call: Effect.Effect<A, unknown>) =>
      Effect.map(Effect.flip(call), (error) => {
        assert.instanceOf(error, HostCallError.HostCallError)
        return error
      })

    it.effect("answers, and fails with the function's own typed failure", () =>
      Effect.gen(function* () {
        const work = yield* Work
        assert.strictEqual(yield* work.double({ n: 21 }), 42)
        assert.isUndefined(yield* work.nothing())
        const error = yield* Effect.flip(work.double({ n: -1 }))
        assert.strictEqual(error._tag, "TooSmall")
        assert.instanceOf(error, TooSmall)
      }).pipe(Effect.provide(layer))
    )

    it.effect("a defect, an interruption and a refused answer are told apart, and others go on", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const died = yield* failure(work.die({ message: "the bug" }))
        assert.strictEqual(died.reason._tag, "Defect")
        assert.match(died.message, /host function "die".*the bug/)
        assert.strictEqual((yield* failure(work.refuse())).reason._tag, "AnswerRefused")
        assert.strictEqual((yield* failure(work.interrupt())).reason._tag, "Interrupted")
        assert.strictEqual(yield* work.double({ n: 1 }), 2)
      }).pipe(Effect.provide(layer))
    )

    it.effect("refuses arguments that do not fit, with the path to them", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const { reason } = yield* failure(work.double({ n: 0.5 }))
        assert.strictEqual(reason._tag, "ArgumentsRefused")
        assert.strictEqual(reason._tag === "ArgumentsRefused" && reason.path, "n")
      }).pipe(Effect.provide(layer))
    )

    it.effect("ten thousand at once: each its own answer", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const ns = Array.from({ length: 10_000 }, (_, n) => n)
        const answers = yield* Effect.forEach(ns, (n) => work.double({ n }), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          answers,
          ns.map((n) => 2 * n)
        )
      }).pipe(Effect.provide(layer))
    )
  })

/** A schema that counts how often its values are decoded. */
export const counted = () => {
  const count = { decoded: 0 }
  const schema = Schema.String.pipe(
    Schema.decodeTo(
      Schema.String,
      SchemaTransformation.transform({
        decode: (text) => {
          count.decoded++
          return text
        },
        encode: (text) => text
      })
    )
  )
  return { count, schema }
}
