import { assert, describe, it } from "@effect/vitest"
import { Thread } from "@fiberhost/core"
import { type GuestError, GuestRunner, GuestThread } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { portPair, settled } from "../fixtures/workThreads.ts"

/**
 * Threads that are none: the program runs in the test's own thread. `onWrite` is told of each time that it writes to the
 * memory that it shares with its owner.
 */
const threadsInOne = (onWrite: (end: (exit: Thread.Exit) => void) => void) =>
  Layer.succeed(Thread.Threads, {
    start: ({ data }) =>
      Effect.gen(function* () {
        const [inside, outside] = portPair(true)
        const listeners: Array<(exit: Thread.Exit) => void> = []
        let exit: Thread.Exit | undefined
        const end = (how: Thread.Exit) => {
          if (exit !== undefined) return
          exit = how
          inside.close()
          outside.close()
          for (const listener of listeners) listener(how)
        }
        const { out } = inside.ringBuffers!
        const write = out.write.bind(out)
        out.write = (bytes, length) => {
          write(bytes, length)
          onWrite(end)
        }
        const program = yield* Effect.forkDetach(GuestRunner.run(inside, structuredClone(data)))
        yield* Effect.addFinalizer(() =>
          Effect.andThen(
            Fiber.interrupt(program),
            Effect.sync(() => end(ended))
          )
        )
        return {
          port: outside,
          onExit: (listener: (exit: Thread.Exit) => void) => {
            if (exit === undefined) listeners.push(listener)
            else listener(exit)
          },
          terminate: () => end(ended)
        }
      })
  })

const ended: Thread.Exit = { exitCode: 1, detail: "it ended" }

describe("a thread that guests live on", () => {
  it.effect("and that ends when it has answered: the answer is the call's, and no other call has one", () => {
    let isArmed = false
    const threads = threadsInOne((end) => {
      // No message has told the owner of the answer when he hears of the end.
      if (isArmed) queueMicrotask(() => end(ended))
    })
    const executor = GuestThread.layer({ program: new URL("file:///none"), grace: 0 }).pipe(Layer.provide(threads))
    return Effect.gen(function* () {
      const plugin = yield* Conformance
      const unanswered = yield* Effect.forkChild(reasonOf(plugin.never()))
      yield* settled
      isArmed = true
      assert.strictEqual(yield* plugin.echo_string({ value: "said before the end" }), "said before the end")
      assert.strictEqual(yield* Fiber.join(unanswered), "ThreadLost")
      assert.strictEqual(yield* reasonOf(plugin.echo_string({ value: "" })), "ThreadLost")
    }).pipe(
      Effect.provide(
        Conformance.layer({ module: conformanceModule }).pipe(Layer.provide([conformanceHost(), executor]))
      )
    )
  })
})

const reasonOf = <A>(call: Effect.Effect<A, GuestError.GuestError>) =>
  Effect.map(Effect.flip(call), ({ reason }) => reason._tag)
