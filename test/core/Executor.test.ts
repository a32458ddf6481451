import { assert, describe, it } from "@effect/vitest"
import * as Executor from "@fiberhost/core/Executor"
import { Cause, Effect, Exit } from "effect"
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
