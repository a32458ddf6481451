import { assert, describe, it } from "@effect/vitest"
import { HostCallError, HostPool, ThreadPool } from "@fiberhost/core"
import { Arbitrary, Cause, Effect, Exit, type Fiber, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { bytesOf, Message, shaped, show, Value } from "../fixtures/frames.ts"
import { hold, timeout } from "../fixtures/fuzz.ts"
import { fakeThreads, settled } from "../fixtures/workThreads.ts"

class Waiting extends HostPool.Service<Waiting>()("test/Waiting", [
  Rpc.make("hang", { success: Value }),
  Rpc.make("tail", { success: Value, stream: true }),
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Int })
]) {}

const waiting = Waiting.toLayer({
  hang: () => Effect.never,
  tail: () => Stream.never,
  double: ({ n }) => Effect.succeed(2 * n)
})

describe("a pool whose thread sends damaged frames", () => {
  it.effect(
    "settles every call when the thread has ended, and works on with another",
    () =>
      hold(Arbitrary.schema(Message), (message) => Effect.scoped(survives(message)), {
        runs: 200,
        maxShrinks: 50,
        show
      }),
    timeout
  )
})

const survives = Effect.fn(function* (message: Message) {
  const threads = fakeThreads(Waiting, () => waiting)
  const pool = yield* Effect.provide(
    ThreadPool.make(Waiting, { program: new URL("fake:program"), size: 1, concurrency: 4 }),
    threads.layer
  )
  const fork = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Fiber.Fiber<unknown, unknown>> =>
    Effect.forkChild(effect, { startImmediately: true })
  const calls = [yield* fork(pool.hang()), yield* fork(Stream.runDrain(pool.tail())), yield* fork(pool.hang())]
  yield* settled
  threads.started[0]!.say(shaped(bytesOf(message), message.as))
  yield* settled
  // Frames that are whole may be all that came.
  if (!threads.started[0]!.hasEnded) threads.started[0]!.crash(1)
  yield* settled
  for (const call of calls) assertOver(call.pollUnsafe())
  assert.strictEqual(yield* pool.double({ n: 2 }), 4)
  assert.strictEqual(HostPool.stats(pool).active, 0)
})

const assertOver = (exit: Exit.Exit<unknown, unknown> | undefined) => {
  if (exit === undefined) return assert.fail("a call has not settled")
  if (Exit.isFailure(exit)) assert.instanceOf(Cause.squash(exit.cause), HostCallError.HostCallError)
}
