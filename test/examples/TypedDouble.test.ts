import { assert, describe, it } from "@effect/vitest"
import { GuestError } from "@fiberhost/wasm-host"
import { Context, Effect, Fiber, Layer } from "effect"
import { NotFound, Reporter } from "../../examples/report/contract.ts"

/** A service of an application that uses a plugin: what its own tests are about. */
class Summary extends Context.Service<
  Summary,
  { readonly of: (...paths: ReadonlyArray<string>) => Effect.Effect<string, string | GuestError.GuestError> }
>()("test/Summary") {
  static readonly layer = Layer.effect(
    Summary,
    Effect.gen(function* () {
      const reporter = yield* Reporter
      return Summary.of({
        of: (...paths) =>
          Effect.map(
            reporter.report({ paths }),
            ({ totals }) => `${totals.words} words in ${totals.files} files, ${totals.failed} failed`
          )
      })
    })
  )
}

const totals = { files: 0, failed: 0, bytes: 0, lines: 0, words: 0, frequent: [] }
const summaryOver = (double: Layer.Layer<Reporter>) => Summary.layer.pipe(Layer.provide(double))

describe("a service's test with a typed double of its plugin", () => {
  it.effect("answers with what the double answers", () =>
    Effect.gen(function* () {
      const summary = yield* Summary
      assert.strictEqual(yield* summary.of("a", "b"), "7 words in 2 files, 0 failed")
    }).pipe(
      Effect.provide(
        summaryOver(
          Reporter.layerTest({
            report: ({ paths }) => Effect.succeed({ files: [], totals: { ...totals, files: paths.length, words: 7 } })
          })
        )
      )
    )
  )

  it.effect("sees the plugin's own failure, and functions that the double leaves out", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip((yield* Summary).of("a")), "too many")
      const error = yield* Effect.flip((yield* Reporter).add({ a: 1, b: 2 }))
      assert.strictEqual(error.reason._tag, "MissingExports")
    }).pipe(
      Effect.provide(
        Summary.layer.pipe(Layer.provideMerge(Reporter.layerTest({ report: () => Effect.fail("too many") })))
      )
    )
  )

  it.effect("sees what a guest itself fails with, where a function of the double is replaced", () => {
    const reason = new GuestError.Trapped({ detail: "unreachable", pending: 0 })
    const trapped = new GuestError.GuestError({ plugin: "report/Reporter", function: "report", reason })
    const trapping = Layer.effect(
      Reporter,
      Effect.map(Reporter, (double) => ({ ...double, report: () => Effect.fail(trapped) }))
    ).pipe(Layer.provide(Reporter.layerTest({})))
    return Effect.gen(function* () {
      const text = (yield* Summary)
        .of("a")
        .pipe(Effect.catchReason("GuestError", "Trapped", (trap) => Effect.succeed(trap.detail)))
      assert.strictEqual(yield* text, "unreachable")
    }).pipe(Effect.provide(summaryOver(trapping)))
  })

  it.effect("closes the scope of a function that is interrupted", () => {
    const closed: Array<string> = []
    return Effect.gen(function* () {
      const call = yield* Effect.forkChild((yield* Reporter).report({ paths: [] }), { startImmediately: true })
      yield* Fiber.interrupt(call)
      assert.deepStrictEqual(closed, ["report"])
    }).pipe(
      Effect.provide(
        Reporter.layerTest({
          report: () =>
            Effect.andThen(
              Effect.addFinalizer(() => Effect.sync(() => closed.push("report"))),
              Effect.never
            )
        })
      )
    )
  })

  it.effect("refuses a value that no guest could be sent, or could answer", () =>
    Effect.gen(function* () {
      const reporter = yield* Reporter
      const sent = yield* Effect.flip(reporter.report({ paths: ["\ud800"] }))
      assert.strictEqual(typeof sent === "object" && sent.reason._tag, "ValueRefused")
      const answered = yield* Effect.flip(reporter.report({ paths: ["a"] }))
      assert.strictEqual(typeof answered === "object" && answered.reason._tag, "AnswerRefused")
    }).pipe(
      Effect.provide(
        Reporter.layerTest({
          report: () =>
            Effect.succeed({
              files: [{ status: "failed", path: "a", error: new NotFound({ path: "a" }) }],
              totals: { ...totals, words: 0.5 }
            })
        })
      )
    )
  )

  it.effect("has synchronous twins too", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Reporter).addUnsafe({ a: 1, b: 2 }), 3)
    }).pipe(Effect.provide(Reporter.layerTest({ add: ({ a, b }) => Effect.succeed(a + b) })))
  )
})
