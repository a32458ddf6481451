import { assert, describe, it } from "@effect/vitest"
import { GuestRunner, GuestThread } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { reasonOf } from "../fixtures/reasonOf.ts"
import { fakeThreadsOf, settled } from "../fixtures/workThreads.ts"

describe("a thread that guests live on", () => {
  it.effect("and that takes long to begin is told of in the log", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const { layer } = fakeThreadsOf(() => Effect.never)
      yield* Layer.build(GuestThread.layer({ program: new URL("file:///none") })).pipe(
        Effect.provide(layer),
        Effect.forkChild
      )
      yield* settled
      yield* TestClock.adjust("10 seconds")
      assert.match(lines.join(), /^guests#0 has not begun after 10 seconds: file:\/\/\/none has not come to/)
    }).pipe(
      Effect.scoped,
      Effect.provide(Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))]))
    )
  })

  it.effect("and that ends when it has answered: the answer is the call's, and no other call has one", () => {
    let isArmed = false
    const threads = fakeThreadsOf((thread, port) => {
      const { out } = port.ringBuffers!
      const write = out.write.bind(out)
      out.write = (bytes, length) => {
        write(bytes, length)
        // No message has told the owner of the answer when he hears of the end.
        if (isArmed) queueMicrotask(() => thread.crash(1))
      }
      return GuestRunner.run(port, thread.data)
    }, true)
    const executor = GuestThread.layer({ program: new URL("file:///none"), grace: 0 }).pipe(
      Layer.provide(threads.layer)
    )
    return Effect.gen(function* () {
      const plugin = yield* Conformance
      const unanswered = yield* Effect.forkChild(reasonOf(plugin.never()))
      yield* settled
      isArmed = true
      assert.strictEqual(yield* plugin.echo_string({ value: "said before the end" }), "said before the end")
      assert.strictEqual((yield* Fiber.join(unanswered))._tag, "ThreadLost")
      assert.strictEqual((yield* reasonOf(plugin.echo_string({ value: "" })))._tag, "ThreadLost")
    }).pipe(
      Effect.provide(
        Conformance.layer({ module: conformanceModule }).pipe(Layer.provide([conformanceHost(), executor]))
      )
    )
  })
})
