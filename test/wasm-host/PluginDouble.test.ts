import { assert, describe, it } from "@effect/vitest"
import { Abi, GuestCall, Plugin } from "@fiberhost/wasm-host"
import { Effect, Fiber, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { reasonOf } from "../fixtures/reasonOf.ts"

describe("a double of a plugin", () => {
  class Named extends Plugin.Service<Named>()("life/Named", {
    exports: [
      Abi.sync("constructor", { success: Schema.String }),
      Abi.sync("toString", { success: Schema.String }),
      Abi.sync("valueOf", { success: Schema.String })
    ]
  }) {}
  it.effect("has no handler that it was not given, whatever every object has", () =>
    Effect.gen(function* () {
      const named = yield* Named
      assert.deepStrictEqual(Plugin.missing(named), ["constructor", "toString"])
      assert.strictEqual(yield* named.valueOf(), "given")
    }).pipe(Effect.provide(Named.layerTest({ valueOf: () => Effect.succeed("given") } as never)))
  )

  class Late extends Plugin.Service<Late>()("life/Late", {
    exports: [
      Rpc.make("render", { success: Schema.String }),
      Rpc.make("hurry", { success: Schema.String }).annotate(Abi.Deadline, "1 second"),
      Abi.sync("size", { success: Abi.U32 }).annotate(Abi.Deadline, "1 second")
    ]
  }) {}
  it.effect("keeps its caller's deadline, and its functions' own", () => {
    const ended: Array<string> = []
    const never = (name: string) => () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended.push(name)))
    return Effect.gen(function* () {
      const late = yield* Late
      const calls = [GuestCall.withDeadline(late.render(), "1 second"), late.hurry()]
      const fibers = yield* Effect.forEach(calls, (call) => Effect.forkChild(call, { startImmediately: true }))
      yield* TestClock.adjust("1 second")
      for (const fiber of fibers) {
        assert.deepInclude(yield* reasonOf(Fiber.join(fiber)), {
          _tag: "DeadlineExceeded",
          phase: "guest",
          inGuest: 1000
        })
      }
      assert.deepStrictEqual(ended, ["render", "hurry"])
      const past = yield* reasonOf(late.render().pipe(GuestCall.withDeadline(0)))
      assert.deepInclude(past, { _tag: "DeadlineExceeded", phase: "waiting" })
      assert.strictEqual(late.sizeUnsafe(), 7)
    }).pipe(
      Effect.provide(Late.layerTest({ render: never("render"), hurry: never("hurry"), size: () => Effect.succeed(7) }))
    )
  })
})
