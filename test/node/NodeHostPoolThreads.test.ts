import { assert, describe, it, layer } from "@effect/vitest"
import { HostCallError, HostPool } from "@fiberhost/core"
import { NodeHostPool } from "@fiberhost/node"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Option, References, Stream } from "effect"
import { Crew, type Ending, Gate, Sorry } from "../fixtures/workCrew.ts"
import { until } from "../fixtures/workThreads.ts"

const program = new URL("../fixtures/workCrew.worker.ts", import.meta.url)
const options = { program, initial: { greeting: "hello" } }
const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })
const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
  assert.instanceOf(error, HostCallError.HostCallError)
  return error.reason
}

layer(NodeHostPool.layer(Crew, { ...options, size: 2, concurrency: 4 }))("threads of Node", (it) => {
  it.effect("are given the initial value", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      assert.strictEqual(yield* crew.greet(), "hello")
    })
  )

  it.effect("run functions in parallel, those of one key on one of them", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      const gate = new Gate()
      const calls = yield* Effect.forEach([0, 1], () => fork(crew.hold({ gate: gate.memory })))
      yield* until(() => gate.began === 2)
      gate.open()
      const ids = yield* Effect.forEach(calls, (call) => Effect.flatten(Fiber.join(call)))
      assert.notStrictEqual(ids[0], ids[1])

      const where = new Map<string, Set<number>>()
      yield* Effect.forEach(
        Array.from({ length: 200 }, (_, i) => `key ${i % 10}`),
        (key) =>
          Effect.map(HostPool.pinned(crew.where(), key), (id) => where.set(key, (where.get(key) ?? new Set()).add(id))),
        { concurrency: "unbounded" }
      )
      for (const threads of where.values()) assert.strictEqual(threads.size, 1)
      assert.deepStrictEqual(new Set(Array.from(where.values(), ([id]) => id)), new Set(ids))
    })
  )

  it.effect("get the buffer of transferable bytes, which its giver has no more, and give it back", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      for (const length of [1, 100, 1 << 14, 1 << 20]) {
        const bytes = new Uint8Array(length).fill(7)
        const back = yield* crew.move({ bytes })
        assert.isTrue(bytes.buffer.detached)
        assert.deepStrictEqual([back.length, back[0], back[length - 1]], [length, 8, length === 1 ? 8 : 7])
      }
    })
  )

  it.effect("and their owner go on with all else while somebody calls without end", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      let fired = 0
      const timer = setInterval(() => fired++, 1)
      while ((yield* HostPool.pinned(crew.beats(), "one thread")) < 5 || fired < 5);
      clearInterval(timer)
    })
  )

  it.effect("answer what has taken its time before they turn to what came with it", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      const gate = new Gate()
      const key = "one thread"
      const first = yield* fork(HostPool.pinned(crew.work({ gate: Option.none() }), key))
      const second = yield* fork(HostPool.pinned(crew.work({ gate: Option.some(gate.memory) }), key))
      assert.deepStrictEqual(yield* Fiber.join(first), Exit.void)
      gate.open()
      assert.deepStrictEqual(yield* Fiber.join(second), Exit.void)
    })
  )

  it.effect("send what a stream has computed before it computes on", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      const gate = new Gate()
      const shifts = crew.shifts({ gates: [Option.none(), Option.some(gate.memory)] })
      // The second begins in the turn of the first, and ends when the first has been read.
      const open = Effect.sync(() => gate.open())
      const read = yield* Stream.runCollect(Stream.tap(shifts, () => open)).pipe(Effect.ensuring(open))
      assert.deepStrictEqual(read, [0, 1])
    })
  )

  it.effect("interrupt what they run when its caller is interrupted", () =>
    Effect.gen(function* () {
      const crew = yield* Crew
      const gate = new Gate()
      const call = yield* fork(crew.hold({ gate: gate.memory }))
      yield* until(() => gate.began === 1)
      yield* Fiber.interrupt(call)
      yield* until(() => gate.interrupted === 1)
      yield* until(() => HostPool.stats(crew).active === 0)
    })
  )

  const endings: ReadonlyArray<readonly [typeof Ending.Type, number, RegExp]> = [
    ["exit", 3, /its program ended/],
    ["uncaught", 1, /Error: nobody caught it/],
    ["rejection", 1, /Error: nobody awaited it/],
    ["garbage", 1, /a message is due that holds frames/]
  ]
  for (const [how, code, detail] of endings) {
    it.effect(`are lost by ${how}: their own calls say so, others go on, and they are replaced`, () =>
      Effect.gen(function* () {
        const crew = yield* Crew
        const [ownGate, otherGate] = [new Gate(), new Gate()]
        const before = HostPool.stats(crew)
        const keys = yield* keysOfTwoThreads(crew)
        const own: Fiber.Fiber<Exit.Exit<unknown, unknown>> = yield* fork(
          HostPool.pinned(crew.hold({ gate: ownGate.memory }), keys[0])
        )
        const other = yield* fork(HostPool.pinned(crew.hold({ gate: otherGate.memory }), keys[1]))
        yield* until(() => ownGate.began === 1 && otherGate.began === 1)
        const ended = yield* fork(HostPool.pinned(crew.end({ how }), keys[0]))
        for (const call of [own, ended] as ReadonlyArray<typeof own>) {
          const reason = reasonOf(yield* Fiber.join(call))
          assert.strictEqual(reason._tag, "ThreadLost")
          if (reason._tag !== "ThreadLost") continue
          assert.strictEqual(reason.exitCode, code)
          assert.match(reason.detail, detail)
          assert.strictEqual(reason.lastRan, "end")
          assert.match(reason.thread, /^test\/Crew#[01]$/)
        }
        assert.strictEqual(HostPool.stats(crew).lost, before.lost + 1)
        // The replacement serves the key.
        assert.notStrictEqual(
          yield* HostPool.pinned(crew.where(), keys[0]),
          yield* HostPool.pinned(crew.where(), keys[1])
        )
        otherGate.open()
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(other)))
        assert.deepStrictEqual(HostPool.stats(crew), { ...before, lost: before.lost + 1 })
      })
    )
  }
})

/** Two keys whose calls run on different threads. */
const keysOfTwoThreads = Effect.fn(function* (crew: Crew["Service"]) {
  const first = yield* HostPool.pinned(crew.where(), 0)
  for (let key = 1; ; key++) if ((yield* HostPool.pinned(crew.where(), key)) !== first) return [0, key] as const
})

describe("threads of Node", () => {
  it.live("that use more memory than they may are lost, and say so", () =>
    Effect.gen(function* () {
      const crew = yield* Effect.provide(
        Crew,
        yield* Layer.build(
          NodeHostPool.layer(Crew, { ...options, size: 1, resourceLimits: { maxOldGenerationSizeMb: 32 } })
        )
      )
      const reason = reasonOf(yield* Effect.exit(crew.end({ how: "memory" })))
      assert.strictEqual(reason._tag, "ThreadLost")
      assert.match(reason._tag === "ThreadLost" ? reason.detail : "", /memory limit/i)
      assert.strictEqual(yield* crew.greet(), "hello")
    })
  )

  it.live("that spin are terminated when the pool's end has waited for the grace time", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const call = yield* Effect.scoped(
        Effect.gen(function* () {
          const crew = yield* Effect.provide(
            Crew,
            yield* Layer.build(NodeHostPool.layer(Crew, { ...options, size: 1, grace: "50 millis" }))
          )
          const call = yield* Effect.forkDetach(Effect.exit(crew.spin({ gate: gate.memory, later: false })), {
            startImmediately: true
          })
          yield* until(() => gate.began === 1)
          return call
        })
      )
      assert.strictEqual(reasonOf(yield* Fiber.join(call))._tag, "Closed")
    })
  )

  it.live("send their log to the application's loggers, what it does not want not at all", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ fiber, logLevel, message }) => {
        lines.push({ logLevel, message, annotations: fiber.getRef(References.CurrentLogAnnotations) })
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const crew = yield* Effect.provide(
            Crew,
            yield* Layer.build(NodeHostPool.layer(Crew, { ...options, size: 1 }))
          )
          yield* crew.log({ text: "hello" })
        })
      ).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines, [
        { logLevel: "Info", message: ["hello"], annotations: { job: "1", thread: "test/Crew#0" } }
      ])
    })
  )

  it.live("send what they log before they compute, and before they end", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      const pool = NodeHostPool.layer(Crew, { ...options, size: 1, grace: "50 millis" })
      yield* Effect.gen(function* () {
        const crew = yield* Crew
        yield* Effect.exit(crew.end({ how: "exit" }))
        assert.deepStrictEqual(lines, [["it ends"]])
        yield* Effect.forkChild(crew.spin({ gate: new Gate().memory, later: false }), { startImmediately: true })
        yield* until(() => lines.length === 2)
        assert.deepStrictEqual(lines[1], ["it spins"])
      }).pipe(
        Effect.provideService(References.MinimumLogLevel, "Debug"),
        Effect.provide(Layer.provideMerge(pool, Logger.layer([logger])))
      )
    })
  )

  it.live("leave nothing behind when their pool's scope has ended", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const crew = yield* Effect.provide(
            Crew,
            yield* Layer.build(NodeHostPool.layer(Crew, { ...options, size: 2 }))
          )
          assert.include(process.getActiveResourcesInfo(), "MessagePort")
          yield* Effect.exit(crew.end({ how: "exit" }))
          yield* Effect.exit(crew.echo({ id: 1 }))
        })
      )
      assert.notInclude(process.getActiveResourcesInfo(), "MessagePort")
      assert.notInclude(process.getActiveResourcesInfo(), "Worker")
    })
  )
})

describe("a pool through promises", () => {
  const open = () => NodeHostPool.open(Crew, { ...options, size: 2, concurrency: 1, capacity: 0 })
  const rejection = (promise: Promise<unknown>) =>
    promise.then(
      () => assert.fail("it did not reject"),
      (error: unknown) => error
    )
  const ticks = { id: 1, count: 1000 }

  it.live("answers, rejects with typed failures, and is closed by `await using`", () =>
    Effect.promise(async () => {
      let left: Promise<unknown>
      {
        await using crew = await open()
        assert.strictEqual(await crew.echo({ id: 1 }), 1)
        const sorry = await rejection(crew.echo({ id: 7 }))
        assert.instanceOf(sorry, Sorry)
        const died = await rejection(crew.die({ id: 3 }))
        assert.instanceOf(died, HostCallError.HostCallError)
        assert.match(String(died), /TypeError: bug 3/)
        const key = "k"
        const ids = await Promise.all(Array.from({ length: 5 }, () => crew.where(undefined, { key })))
        assert.strictEqual(new Set(ids).size, 1)
        left = rejection(crew.hold({ gate: new Gate().memory }))
      }
      const closed = await left
      assert.strictEqual(closed instanceof HostCallError.HostCallError && closed.reason._tag, "Closed")
      assert.notInclude(process.getActiveResourcesInfo(), "MessagePort")
    })
  )

  it.live("whoever closes it waits for its end, also when somebody else is closing it", () =>
    Effect.promise(async () => {
      const crew = await open()
      let hasEnded = false
      void crew[Symbol.asyncDispose]().then(() => {
        hasEnded = true
      })
      await crew[Symbol.asyncDispose]()
      assert.isTrue(hasEnded)
    })
  )

  it.live("an AbortSignal interrupts a call, a waiting one as well, and its reason is the rejection", () =>
    Effect.promise(async () => {
      await using crew = await open()
      const gate = new Gate()
      const controller = new AbortController()
      const { signal } = controller
      const calls = [0, 1, 2].map(() => rejection(crew.hold({ gate: gate.memory }, { signal })))
      await Effect.runPromise(until(() => gate.began === 2))
      const full = await rejection(crew.where(undefined, { try: true }))
      assert.strictEqual(full instanceof HostCallError.HostCallError && full.reason._tag, "NoRoom")
      const reason = new Error("enough")
      controller.abort(reason)
      for (const call of calls) assert.strictEqual(await call, reason)
      await Effect.runPromise(until(() => gate.interrupted === 2))
      assert.strictEqual(await rejection(crew.where(undefined, { signal })), reason)
      assert.strictEqual(gate.began, 2)
    })
  )

  it.live("a call whose AbortSignal is aborted while its payload is read is not made", () =>
    Effect.promise(async () => {
      await using crew = await open()
      const gate = new Gate()
      const controller = new AbortController()
      const reason = new Error("enough")
      const payload = {
        get gate() {
          controller.abort(reason)
          return gate.memory
        }
      }
      assert.strictEqual(await rejection(crew.hold(payload, { signal: controller.signal })), reason)
      // Both are taken by the one thread, in order.
      assert.isNumber(await crew.where())
      assert.strictEqual(gate.began, 0)
    })
  )

  it.live("a stream is an async iterable: its end, its failure, an early break and an AbortSignal", () =>
    Effect.promise(async () => {
      await using crew = await open()
      const gate = new Gate()
      const numbers: Array<number> = []
      for await (const n of crew.ticks({ ...ticks, gate: gate.memory })) numbers.push(n)
      assert.strictEqual(numbers.length, 1000)
      assert.strictEqual(gate.interrupted, 1)

      const failing = crew.ticks({ id: 3, count: 2, gate: gate.memory })
      const taken: Array<number> = []
      const error = await rejection(
        (async () => {
          for await (const n of failing) taken.push(n)
        })()
      )
      assert.instanceOf(error, Sorry)
      assert.deepStrictEqual(taken, [3, 4])

      for await (const n of crew.ticks({ ...ticks, gate: gate.memory })) if (n === 5) break
      await Effect.runPromise(until(() => gate.interrupted === 3))

      const controller = new AbortController()
      const reason = new Error("enough")
      const aborted = await rejection(
        (async () => {
          for await (const n of crew.ticks({ ...ticks, gate: gate.memory }, { signal: controller.signal })) {
            if (n === 5) controller.abort(reason)
          }
        })()
      )
      assert.strictEqual(aborted, reason)
      await Effect.runPromise(until(() => gate.interrupted === 4))
    })
  )

  it.live("a pool that cannot start rejects with the ThreadError", () =>
    Effect.promise(async () => {
      const error = await rejection(NodeHostPool.open(Crew, { ...options, program: new URL("file:///no/such.ts") }))
      assert.match(String(error), /ThreadError.*could not start/s)
    })
  )
})
