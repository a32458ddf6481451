import { assert, describe, it } from "@effect/vitest"
import { HostCallError, HostPool, ThreadPool } from "@fiberhost/core"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Scheduler, Schema, type Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { eventually } from "../fixtures/eventually.ts"
import { uncaught } from "../fixtures/uncaught.ts"
import { fakeThreads, settled, until } from "../fixtures/workThreads.ts"

const Small = Schema.Int.check(Schema.isLessThan(10))

class Odd extends HostPool.Service<Odd>()("test/Odd", [
  Rpc.make("one", { success: Schema.Int }),
  Rpc.make("hang"),
  Rpc.make("failWith", { payload: { n: Schema.Int }, error: Small }),
  Rpc.make("streamFailure", { payload: { n: Schema.Int }, success: Schema.Int, error: Small, stream: true }),
  Rpc.make("misbehave", { payload: { how: Schema.String } }),
  /** One number after another, as fast as they are taken. */
  Rpc.make("numbers", { success: Schema.Int, stream: true }),
  Rpc.make("items", { success: Schema.Int, stream: true }),
  /** Has no stream. */
  Rpc.make("none", { payload: { n: Schema.Int }, success: Schema.Int, stream: true })
]) {}

const revoked = (): never => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy as never
}

/** What a function does that is odd; each is its own call's end, and nobody else's. */
const misdeeds: Record<string, () => Effect.Effect<void, HostCallError.HostCallError>> = {
  "fails with an error of a function without a name": () =>
    Effect.fail(new HostCallError.HostCallError({ function: "\ud800", reason: new HostCallError.Closed() })),
  "fails with an error without fields": () => Effect.fail(Object.create(HostCallError.HostCallError.prototype)),
  "fails with an error that cannot be read": () =>
    Effect.fail(
      new Proxy(HostCallError.interrupted("misbehave"), {
        get: () => {
          throw new Error("it cannot be read")
        }
      })
    ),
  "returns what cannot be looked at": revoked,
  "returns nothing": () => undefined as never,
  "returns a promise": () => Promise.resolve() as never,
  "dies of what cannot be looked at": () => Effect.die(revoked),
  "dies of an error whose message cannot be read": () =>
    Effect.die(
      Object.defineProperty(new Error(), "message", {
        get: () => {
          throw new Error("it cannot be read")
        }
      })
    ),
  "dies of what has no text": () =>
    Effect.die(
      Object.assign(Object.create(null), {
        toJSON: () => {
          throw new Error("it has no text")
        }
      })
    )
}

const counted = () => {
  const seen = { asked: 0, ended: 0 }
  return {
    seen,
    handlers: {
      one: () => Effect.succeed(1),
      hang: () => Effect.never,
      failWith: ({ n }: { readonly n: number }) => Effect.fail(n),
      streamFailure: ({ n }: { readonly n: number }) => Stream.fail(n),
      misbehave: ({ how }: { readonly how: string }) => misdeeds[how]!(),
      numbers: () =>
        Stream.fromEffectRepeat(Effect.sync(() => seen.asked++)).pipe(
          Stream.onExit(() => Effect.sync(() => seen.ended++))
        ),
      items: () => Stream.make(1, 2, 3),
      none: () => undefined as unknown as Stream.Stream<number>
    }
  }
}

const program = new URL("fake:program")
type Options = { readonly concurrency?: number }

const pools = {
  "in the calling thread": (options: Options) => {
    const { handlers, seen } = counted()
    return { layer: Odd.layer(handlers, { ...options, capacity: 0 }), seen }
  },
  "over threads": (options: Options) => {
    const { handlers, seen } = counted()
    const threads = fakeThreads(Odd, () => Odd.toLayer(handlers))
    return { layer: Layer.provide(ThreadPool.layer(Odd, { ...options, program, capacity: 0 }), threads.layer), seen }
  }
}

for (const [name, poolOf] of Object.entries(pools)) {
  describe(`a host pool ${name}`, () => {
    const within = <A, E>(
      test: (pool: Odd["Service"], seen: ReturnType<typeof counted>["seen"]) => Effect.Effect<A, E, Scope.Scope>,
      options: Options = {}
    ) => {
      const { layer, seen } = poolOf(options)
      return Effect.provide(
        Effect.flatMap(Odd, (pool) => test(pool, seen)),
        layer
      )
    }

    it.live("a signal interrupts a stream at once, also while its reader is busy with what it has read", () =>
      within((pool, seen) =>
        Effect.gen(function* () {
          const controller = new AbortController()
          const reader = HostPool.promises(pool)
            .numbers(undefined, { signal: controller.signal })
            [Symbol.asyncIterator]()
          assert.deepStrictEqual(yield* Effect.promise(() => reader.next()), { done: false, value: 0 })
          const reason = new Error("enough")
          controller.abort(reason)
          yield* eventually(() => assert.strictEqual(seen.ended, 1))
          const { asked } = seen
          yield* settled
          assert.strictEqual(seen.asked, asked)
          assert.strictEqual(yield* Effect.promise(() => reader.next().then(undefined, (error) => error)), reason)
        })
      )
    )

    it.live("a signal that was aborted before begins no stream", () =>
      within((pool, seen) =>
        Effect.gen(function* () {
          const signal = AbortSignal.abort(new Error("before"))
          const reader = HostPool.promises(pool).numbers(undefined, { signal })[Symbol.asyncIterator]()
          assert.strictEqual(
            yield* Effect.promise(() => reader.next().then(undefined, (error) => error)),
            signal.reason
          )
          yield* settled
          assert.strictEqual(seen.asked, 0)
        })
      )
    )

    it.live("a signal that a stream's payload aborts while it is read ends its reader", () =>
      within((pool) =>
        Effect.gen(function* () {
          const controller = new AbortController()
          const payload = {
            get n() {
              controller.abort(new Error("while it is read"))
              return 1
            }
          }
          const reader = HostPool.promises(pool)
            .streamFailure(payload, { signal: controller.signal })
            [Symbol.asyncIterator]()
          const next = yield* Effect.promise(() => reader.next().then(undefined, (error) => error))
          assert.strictEqual(next, controller.signal.reason)
          yield* eventually(() => assert.deepInclude(HostPool.stats(pool), { active: 0, waiting: 0 }))
        })
      )
    )

    it.live("a function that returns no stream ends its own call only", () =>
      within((pool) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(Stream.runDrain(pool.none({ n: 1 })))
          assert.strictEqual(error.reason._tag, "Defect")
          assert.strictEqual(HostPool.stats(pool).lost, 0)
        })
      )
    )

    it.live("who waits for a place to read a stream can be interrupted, as who waits to call can", () =>
      within(
        (pool) =>
          Effect.gen(function* () {
            const hang = yield* Effect.forkChild(pool.hang(), { startImmediately: true })
            const reader = yield* Effect.forkChild(Stream.runDrain(pool.items()), { startImmediately: true })
            yield* settled
            yield* Fiber.interrupt(reader)
            yield* Fiber.interrupt(hang)
            assert.deepStrictEqual(yield* Stream.runCollect(pool.items()), [1, 2, 3])
            yield* eventually(() => assert.deepInclude(HostPool.stats(pool), { active: 0, waiting: 0 }))
          }),
        { concurrency: 1 }
      )
    )

    it.live("a stream's failure crosses the contract's codec, as a call's does", () =>
      within((pool) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* Effect.flip(pool.failWith({ n: 3 })), 3)
          assert.strictEqual(yield* Effect.flip(Stream.runDrain(pool.streamFailure({ n: 3 }))), 3)
          for (const failing of [pool.failWith({ n: 100 }), Stream.runDrain(pool.streamFailure({ n: 100 }))]) {
            const error = yield* Effect.flip(failing)
            assert.instanceOf(error, HostCallError.HostCallError)
            assert.strictEqual(error.reason._tag, "AnswerRefused")
          }
        })
      )
    )

    for (const how of Object.keys(misdeeds)) {
      it.live(`a function that ${how} ends its own call only`, () =>
        within((pool) =>
          Effect.gen(function* () {
            const other = yield* Effect.forkChild(pool.hang(), { startImmediately: true })
            const error = yield* Effect.flip(pool.misbehave({ how }))
            assert.instanceOf(error, HostCallError.HostCallError)
            assert.strictEqual(yield* pool.one(), 1)
            assert.isUndefined(other.pollUnsafe())
            assert.strictEqual(HostPool.stats(pool).lost, 0)
          })
        )
      )
    }

    it.live("a reader's observer that throws is an uncaught exception, and ends nobody's calls", () =>
      within((pool) =>
        Effect.gen(function* () {
          const thrown = yield* uncaught
          const other = yield* Effect.forkChild(pool.hang(), { startImmediately: true })
          const read = Effect.andThen(Effect.yieldNow, Stream.runDrain(Stream.take(pool.numbers(), 1)))
          Effect.runFork(read).addObserver(() => {
            throw new Error("a bug of the application")
          })
          yield* until(() => thrown.length > 0)
          yield* settled
          assert.deepStrictEqual(thrown, ["Error: a bug of the application"])
          assert.isUndefined(other.pollUnsafe())
          assert.strictEqual(HostPool.stats(pool).lost, 0)
        }).pipe(Effect.scoped)
      )
    )

    it.live("drain completes after the last call was answered", () =>
      within((pool) =>
        Effect.gen(function* () {
          const log: Array<string> = []
          Effect.runFork(pool.one()).addObserver(() => log.push("answered"))
          yield* HostPool.drain(pool)
          log.push("drained")
          assert.deepStrictEqual(log, ["answered", "drained"])
        })
      )
    )

    it.live("`try`, interrupted at any step, loses no place", () =>
      within((pool) =>
        Effect.gen(function* () {
          for (let steps = 0; steps < 30; steps++) {
            const call = yield* Effect.forkChild(Effect.provideService(pool.hang.try(), Scheduler.MaxOpsBeforeYield, 3))
            yield* Effect.repeat(Effect.yieldNow, { times: steps })
            yield* Fiber.interrupt(call)
            yield* eventually(() => assert.deepInclude(HostPool.stats(pool), { active: 0, waiting: 0 }))
          }
        })
      )
    )
  })
}

describe("a host pool over threads that cannot start", () => {
  it.live("a call that waits is told NoThread when the last thread that might have come cannot start", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let starts = 0
      const { handlers } = counted()
      const threads = fakeThreads(Odd, () =>
        Odd.toLayer(
          Effect.suspend(() =>
            ++starts === 1
              ? Effect.succeed(handlers)
              : Effect.andThen(Deferred.await(gate), Effect.fail(new Error("it cannot start")))
          )
        )
      )
      const pool = yield* ThreadPool.make(Odd, {
        program,
        size: { min: 1, max: 2 },
        concurrency: 1,
        restart: Schedule.recurs(0)
      }).pipe(Effect.provide(threads.layer))
      yield* Effect.forkChild(Effect.exit(pool.hang()), { startImmediately: true })
      const waiting = yield* Effect.forkChild(Effect.flip(pool.one()), { startImmediately: true })
      yield* until(() => starts === 2)
      threads.started[0]!.crash(1)
      yield* settled
      yield* Deferred.succeed(gate, undefined)
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error.reason._tag, "NoThread")
    }).pipe(Effect.scoped)
  )
})

describe("a host pool in the calling thread", () => {
  it.effect("is not made without a handler for each function", () =>
    Effect.gen(function* () {
      const { one: _, ...others } = counted().handlers
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Odd.layer(others as never))))
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("no handler for one"))
    })
  )
})
