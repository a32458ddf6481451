import { assert, it } from "@effect/vitest"
import { HostCallError, HostPool, Thread, ThreadPool } from "@fiberhost/core"
import { NodeThreads } from "@fiberhost/node"
import { Cause, Effect, Exit, Fiber, Layer, Metric, Schedule, Scope, Stream } from "effect"
import { eventually, turn } from "../fixtures/eventually.ts"
import { randomOf } from "../fixtures/random.ts"
import { Crew, type Ending, Gate, Sorry } from "../fixtures/workCrew.ts"
import { until } from "../fixtures/workThreads.ts"

const calls = Number(process.env.FIBERHOST_CHAOS_CALLS ?? 20_000)
const seed = Number(process.env.FIBERHOST_SEED ?? Math.floor(Math.random() * 2 ** 31))
const program = new URL("../fixtures/workCrew.worker.ts", import.meta.url)
const size = 3
const concurrency = 16
/** Fibers that call, one call after another. */
const callers = 100

const choicesOf = (seed: number) => {
  const next = randomOf(seed)
  return {
    below: (limit: number) => Math.floor(next() * limit),
    chance: (probability: number) => next() < probability
  }
}

/** Real threads, which the test can terminate. */
const terminable = (running: Set<Thread.Thread>) =>
  Layer.effect(
    Thread.Threads,
    Effect.map(Thread.Threads, ({ start }) => ({
      start: (program: Thread.Program) =>
        Effect.tap(start(program), (thread) =>
          Effect.sync(() => {
            running.add(thread)
            thread.onExit(() => running.delete(thread))
          })
        )
    }))
  ).pipe(Layer.provide(NodeThreads.layer({ resourceLimits: { maxOldGenerationSizeMb: 64 } })))

const chaos = Effect.fn(function* (fibers: { started: number; active: number }) {
  const random = choicesOf(seed)
  const running = new Set<Thread.Thread>()
  const scope = yield* Scope.make()
  const crew = yield* ThreadPool.make(Crew, {
    program,
    initial: { greeting: "hello" },
    size,
    concurrency,
    capacity: 20,
    restart: Schedule.spaced("1 millis")
  }).pipe(Effect.provide(terminable(running)), Scope.provide(scope))
  const promises = HostPool.promises(crew)
  const keys = Array.from({ length: 8 }, (_, i) => `key ${i}`)
  const threadOf = new Map<string, string>()
  for (const key of keys) threadOf.set(key, yield* HostPool.pinned(crew.threadName(), key))
  const open = new Gate()
  open.open()
  const gate = open.memory

  const outcomes: Record<string, number> = {}
  let settled = 0
  let lostCalls = 0
  const count = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  /** What the call may end with beside its own answer: it was interrupted, there was no room, its own thread was lost. */
  const check = (
    exit: Exit.Exit<unknown, unknown>,
    is: { mayHaveNoRoom: boolean; key: string | undefined; own: (exit: Exit.Exit<unknown, unknown>) => boolean }
  ) => {
    settled++
    if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return count("interrupted")
    if (is.own(exit)) return count("answered")
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value
    assert.instanceOf(error, HostCallError.HostCallError, "a wrong answer")
    const { reason } = error
    count(reason._tag)
    if (reason._tag === "NoRoom") return assert.isTrue(is.mayHaveNoRoom)
    if (reason._tag !== "ThreadLost") return assert.fail(`a wrong error: ${error.message}`)
    lostCalls++
    if (is.key !== undefined) assert.strictEqual(reason.thread, threadOf.get(is.key))
  }
  const failsWith = (exit: Exit.Exit<unknown, unknown>, is: (error: unknown) => boolean) =>
    Exit.isFailure(exit) && is(Cause.squash(exit.cause))
  const sorry = (exit: Exit.Exit<unknown, unknown>, id: number) =>
    failsWith(exit, (error) => error instanceof Sorry && error.id === id)
  const endings: ReadonlyArray<typeof Ending.Type | "terminate"> = [
    "exit",
    "uncaught",
    "rejection",
    "garbage",
    "terminate"
  ]

  /** One call, and what it may answer. */
  const callOf = (
    id: number,
    key: string | undefined
  ): readonly [Effect.Effect<unknown, unknown>, (exit: Exit.Exit<unknown, unknown>) => boolean, boolean?] => {
    if (random.chance(1 / 2000)) {
      const how = random.chance(1 / 20) ? "memory" : endings[random.below(endings.length)]!
      if (how !== "terminate") return [crew.end({ how }), () => false]
      return [
        Effect.sync(() => {
          const threads = Array.from(running)
          threads[random.below(threads.length)]?.terminate()
        }),
        Exit.isSuccess
      ]
    }
    const kind = random.below(100)
    if (kind < 40) {
      const isTry = random.chance(0.2)
      const answer = (exit: Exit.Exit<unknown, unknown>) =>
        id % 7 === 0 ? sorry(exit, id) : Exit.isSuccess(exit) && exit.value === id
      return [(isTry ? crew.echo.try : crew.echo)({ id }), answer, isTry]
    }
    if (kind < 50) {
      const controller = new AbortController()
      const aborts = random.chance(0.3)
      const call = Effect.callback<number, unknown>((resume) => {
        promises.echo({ id }, { signal: controller.signal, key }).then(
          (value) => resume(Effect.succeed(value)),
          (error: unknown) => resume(error === controller.signal.reason ? Effect.interrupt : Effect.fail(error))
        )
        if (aborts) setImmediate(() => controller.abort(new Error("enough")))
      })
      return [call, (exit) => (id % 7 === 0 ? sorry(exit, id) : Exit.isSuccess(exit) && exit.value === id)]
    }
    if (kind < 60) {
      const isBug = (error: unknown) =>
        error instanceof HostCallError.HostCallError &&
        error.reason._tag === "Defect" &&
        String(error.reason.cause) === `TypeError: bug ${id}`
      return [crew.die({ id }), (exit) => failsWith(exit, isBug)]
    }
    if (kind < 70) return [crew.hold({ gate }), (exit) => Exit.isSuccess(exit) && typeof exit.value === "number"]
    if (kind < 73)
      return [
        Effect.timeout(crew.hold({ gate: new Gate().memory }), 1),
        (exit) => failsWith(exit, Cause.isTimeoutError)
      ]
    if (kind < 80) {
      const bytes = new Uint8Array(random.chance(0.1) ? 65_536 : 1 + random.below(2000)).fill(id)
      const { length } = bytes
      return [
        crew.move({ bytes }),
        (exit) =>
          Exit.isSuccess(exit) &&
          exit.value instanceof Uint8Array &&
          exit.value.length === length &&
          exit.value[0] === ((id + 1) & 0xff) &&
          exit.value.every((byte, i) => i === 0 || byte === (id & 0xff))
      ]
    }
    const length = 1 + random.below(60)
    const taken: Array<number> = []
    const slow = random.below(3)
    const stream = crew.ticks({ id, count: length, gate })
    const early = random.chance(0.3) ? 1 + random.below(length) : undefined
    const read = Stream.runForEach(early === undefined ? stream : Stream.take(stream, early), (n) => {
      taken.push(n)
      return slow === 0 ? Effect.void : slow === 1 ? Effect.yieldNow : turn
    })
    return [
      read,
      (exit) => {
        const inOrder = taken.every((n, i) => n === id + i)
        if (early !== undefined && Exit.isSuccess(exit)) return inOrder && taken.length === early
        const isEnd = id % 3 === 0 ? sorry(exit, id) : Exit.isSuccess(exit)
        return isEnd && inOrder && taken.length === length
      }
    ]
  }

  let next = 0
  const caller = Effect.gen(function* () {
    while (next < calls) {
      const id = next++
      const key = random.chance(0.3) ? keys[random.below(keys.length)] : undefined
      const [call, own, mayHaveNoRoom = false] = callOf(id, key)
      const interrupts = random.chance(0.15) ? random.below(4) : undefined
      const pinned = key === undefined ? call : HostPool.pinned(call, key)
      const is = { key, mayHaveNoRoom, own }
      if (interrupts === undefined) {
        check(yield* Effect.exit(pinned), is)
      } else {
        const fiber = yield* Effect.forkChild(pinned, { startImmediately: true })
        for (let i = 0; i < interrupts; i++) yield* turn
        yield* Fiber.interrupt(fiber)
        check(yield* Fiber.await(fiber), is)
      }
    }
  })
  const begin = performance.now()
  yield* Effect.all(
    Array.from({ length: callers }, () => caller),
    { concurrency: "unbounded" }
  )
  const seconds = (performance.now() - begin) / 1000

  assert.strictEqual(settled, calls)
  // Interrupted calls are answered a little later, and lost threads are replaced.
  yield* until(() => {
    const { active, threads, waiting } = HostPool.stats(crew)
    return active === 0 && waiting === 0 && threads === size
  })
  const { lost } = HostPool.stats(crew)
  assert.isAtMost(lostCalls, lost * concurrency)
  assert.strictEqual(running.size, size)
  yield* Scope.close(scope, Exit.void)
  assert.deepStrictEqual(HostPool.stats(crew), { waiting: 0, active: 0, threads: 0, lost })
  assert.strictEqual(running.size, 0)
  assert.isAbove(fibers.started, callers)
  yield* eventually(() => assert.strictEqual(fibers.active, 0))
  yield* eventually(() => assert.notInclude(process.getActiveResourcesInfo(), "MessagePort"))
  return { calls, seconds: Math.round(seconds * 10) / 10, threadsLost: lost, ...outcomes }
})

it.live(
  `${calls} calls under interruption, defects, loss of threads and slow readers: each settles with its own answer, or says why not`,
  () => {
    const fibers = { started: 0, active: 0 }
    const counted = {
      recordFiberStart: () => {
        fibers.started++
        fibers.active++
      },
      recordFiberEnd: () => void fibers.active--
    }
    return chaos(fibers).pipe(
      Effect.provideService(Metric.FiberRuntimeMetrics, counted),
      Effect.tap((figures) => Effect.sync(() => process.env.FIBERHOST_CHAOS_CALLS && console.log(figures))),
      Effect.tapCause(() => Effect.sync(() => console.error(`FIBERHOST_SEED=${seed}`)))
    )
  },
  Math.max(300_000, calls * 5)
)
