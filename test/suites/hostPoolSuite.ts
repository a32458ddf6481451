import { assert, describe, it } from "@effect/vitest"
import { HostCallError, type Thread } from "@fiberhost/core"
import { Effect, Exit, Fiber, Layer, Schema, SchemaTransformation } from "effect"
import { TooSmall, Work } from "../fixtures/work.ts"

/** What a host pool promises, wherever it runs its functions. */
export const hostPoolSuite = (name: string, layer: Layer.Layer<Work, Thread.ThreadError>) =>
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

    it.effect("carries bytes of any length unchanged, and leaves the caller's alone", () =>
      Effect.gen(function* () {
        const work = yield* Work
        for (const length of [0, 1, 255, 256, 65_535, 65_536, 1 << 20]) {
          const bytes = Uint8Array.from({ length }, (_, i) => i * 7)
          const copy = bytes.slice()
          const reversed = yield* work.reverse({ bytes })
          assert.isTrue(Buffer.compare(bytes, copy) === 0)
          assert.isTrue(Buffer.compare(reversed.reverse(), copy) === 0)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("interrupting a caller interrupts its function, and no other", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const hang = (id: string) => Effect.forkChild(work.hang({ id }), { startImmediately: true })
        const call = yield* hang(`${name}: interrupted`)
        const other = yield* hang(`${name}: other`)
        yield* Fiber.interrupt(call)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(call)))
        // Where the function runs on a thread, it hears of it a little later.
        yield* Effect.repeat(work.wasInterrupted({ id: `${name}: interrupted` }), { until: (it) => it })
        assert.isFalse(yield* work.wasInterrupted({ id: `${name}: other` }))
        assert.isUndefined(other.pollUnsafe())
      }).pipe(Effect.provide(layer))
    )

    it.effect("closing it settles every call, those that run and those that wait for room", () =>
      Effect.gen(function* () {
        const calls = yield* Effect.scoped(
          Effect.gen(function* () {
            const work = yield* Effect.provide(Work, yield* Layer.build(Layer.fresh(layer)))
            return yield* Effect.forEach(
              Array.from({ length: 500 }, (_, i) => `${name}: closed ${i}`),
              (id) => Effect.forkDetach(failure(work.hang({ id })), { startImmediately: true })
            )
          })
        )
        for (const call of calls) assert.strictEqual((yield* Fiber.join(call)).reason._tag, "Closed")
      })
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
