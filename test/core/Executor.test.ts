import { assert, describe, it } from "@effect/vitest"
import * as Executor from "@fiberhost/core/Executor"
import { Cause, Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { turn } from "../fixtures/eventually.ts"
import { uncaught } from "../fixtures/uncaught.ts"
import { executorSuite } from "../suites/executorSuite.ts"

executorSuite("Executor", Executor.layer)

describe("Executor.make", () => {
  it.effect("options_that_are_no_counts_are_a_defect", () =>
    Effect.gen(function* () {
      for (const options of [{ concurrency: 0 }, { concurrency: 1.5 }, { capacity: -1 }, { capacity: NaN }]) {
        const exit = yield* Effect.exit(Effect.scoped(Executor.make(options)))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      }
    })
  )
})

describe("ExecutorError", () => {
  it.effect("reasons_are_caught_by_their_tags", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const executor = yield* Executor.make({ concurrency: 1, capacity: 0 })
        yield* executor.spawn(Effect.never)
        const caught = executor
          .trySpawn(Effect.void)
          .pipe(Effect.catchReason("ExecutorError", "NoRoom", (reason) => Effect.succeed(reason.capacity)))
        assert.strictEqual(yield* caught, 0)
      })
    )
  )
})

describe("an executor", () => {
  it.live("goes_on_with_others_whose_turn_has_come_when_an_observer_throws", () =>
    Effect.gen(function* () {
      const thrown = yield* uncaught
      const executor = yield* Executor.make({ concurrency: 2 })
      const gate = yield* Deferred.make<void>()
      yield* executor.spawn(Deferred.await(gate))
      yield* executor.spawn(Deferred.await(gate))
      Effect.runFork(executor.run(Effect.void)).addObserver(() => {
        throw new Error("a bug of the application")
      })
      const second = Effect.runFork(executor.run(Effect.void))
      yield* Deferred.succeed(gate, undefined)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(second)))
      assert.deepInclude(yield* executor.stats, { active: 0, waiting: 0 })
      yield* turn
      assert.deepStrictEqual(thrown, ["Error: a bug of the application"])
    }).pipe(Effect.scoped)
  )

  it.effect("refuses_a_buffer_for_a_stream_whose_size_is_no_count", () =>
    Effect.gen(function* () {
      const executor = yield* Executor.make()
      for (const bufferSize of [Number.NaN, 0, 1.5, "x" as never]) {
        const exit = yield* Effect.exit(executor.spawnStream(Stream.make(1), { bufferSize }))
        assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("bufferSize"))
      }
    }).pipe(Effect.scoped)
  )
})
