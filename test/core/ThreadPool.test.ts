import { assert, describe, it } from "@effect/vitest"
import { Codec, HostCallError, HostFunction, HostPool, HostRunner, ThreadPool } from "@fiberhost/core"
import {
  Cause,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  type LogLevel,
  Option,
  Redactable,
  Redacted,
  References,
  Result,
  Schedule,
  Schema,
  Scope,
  Stream,
  Tracer
} from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Transferable } from "effect/workers"
import { handlers, Work } from "../fixtures/work.ts"
import { type FakeThread, fakeThreads, fakeThreadsOf, settled, until } from "../fixtures/workThreads.ts"
import { hostPoolSuite } from "../suites/hostPoolSuite.ts"

const program = new URL("fake:program")

hostPoolSuite(
  "a host pool over any threads",
  Layer.suspend(() =>
    Layer.provide(ThreadPool.layer(Work, { program, size: 1 }), fakeThreads(Work, () => Work.toLayer(handlers)).layer)
  )
)

class Jobs extends HostPool.Service<Jobs>()(
  "test/Jobs",
  [
    /** Answers with its thread's number when the test opens its gate. */
    Rpc.make("run", { payload: { id: Schema.Int }, success: Schema.Int }),
    Rpc.make("where", { success: Schema.Int }),
    /** Does not end when it is interrupted. */
    Rpc.make("stubborn"),
    Rpc.make("tail", { success: Schema.Int, stream: true }),
    Rpc.make("log", { payload: { text: Schema.String } }),
    Rpc.make("send", { payload: { value: Codec.cloned((_): _ is object => true, "an object") } }),
    Rpc.make("move", { payload: { bytes: Transferable.Uint8Array } }),
    Rpc.make("greet", { success: Schema.String }),
    /** The span that it is called in. */
    Rpc.make("span", { success: Schema.Option(Schema.String) })
  ],
  { initial: Schema.Struct({ greeting: Schema.NonEmptyString }) }
) {}

/** Collections that tell of themselves. */
class Discreet extends Map<string, string> {
  toJSON(): string {
    return "its own"
  }
}
class Hidden extends Set<string> {
  [Redactable.symbolRedactable](): string {
    return "<hidden>"
  }
}

class Notes extends HostPool.Service<Notes>()("test/Notes", [Rpc.make("note", { payload: { text: Schema.String } })]) {}

const numberOf = ({ name }: FakeThread) => Number(name.slice(name.indexOf("#") + 1))

/** A pool whose jobs begin and end where the test can see it. */
const jobsPool = Effect.fn(function* (
  options: Omit<ThreadPool.Options<{ readonly greeting: string }>, "program" | "initial"> = {},
  fake: {
    greeting?: string
    /** Of the handlers' own layer. */
    logLevel?: LogLevel.LogLevel
    onStart?: (thread: FakeThread, nth: number) => Effect.Effect<void, Error>
  } = {}
) {
  const gates = new Map<number, Deferred.Deferred<void>>()
  const gate = (id: number) => {
    const found = gates.get(id) ?? Deferred.makeUnsafe<void>()
    gates.set(id, found)
    return found
  }
  /** `[thread, id]` of jobs that began, and that were interrupted. */
  const began: Array<readonly [number, number]> = []
  const interrupted: Array<number> = []
  let starts = 0
  const threads = fakeThreads(Jobs, (thread) =>
    Jobs.toLayer(
      Effect.gen(function* () {
        yield* fake.onStart?.(thread, ++starts) ?? Effect.void
        const { greeting } = yield* Jobs.initial
        return {
          run: ({ id }: { readonly id: number }) =>
            Effect.suspend(() => {
              began.push([numberOf(thread), id])
              return Effect.as(Deferred.await(gate(id)), numberOf(thread))
            }).pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted.push(id)))),
          where: () => Effect.succeed(numberOf(thread)),
          stubborn: () => Effect.uninterruptible(Effect.never),
          tail: () => Stream.concat(Stream.fromArray([1, 2, 3]), Stream.never),
          log: ({ text }: { readonly text: string }) =>
            Effect.logWarning(
              text,
              text === "careful" ? { id: 7 } : new Error("odd", { cause: new Error("why") })
            ).pipe(
              Effect.andThen(Effect.logDebug("detail")),
              Effect.annotateLogs({ job: 1 }),
              Effect.withLogSpan("work")
            ),
          send: () => Effect.void,
          move: () => Effect.void,
          greet: () => Effect.succeed(greeting),
          span: () =>
            Effect.map(Effect.option(Effect.currentParentSpan), (span) =>
              Option.map(span, ({ spanId, traceId }) => `${spanId} of ${traceId}`)
            )
        }
      })
    ).pipe(Layer.provide(fake.logLevel ? Layer.succeed(References.MinimumLogLevel, fake.logLevel) : Layer.empty))
  )
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
  const build = ThreadPool.make(Jobs, { program, initial: { greeting: fake.greeting ?? "hello" }, ...options })
  const jobs = yield* build.pipe(Effect.provide(threads.layer), Scope.provide(scope))
  const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })
  return {
    jobs,
    threads: threads.started,
    began,
    interrupted,
    /** Lets the job answer, also before it begins. */
    open: (...ids: ReadonlyArray<number>) =>
      Effect.forEach(ids, (id) => Deferred.succeed(gate(id), undefined), { discard: true }),
    run: (id: number) => fork(jobs.run({ id })),
    fork,
    close: Scope.close(scope, Exit.void),
    alive: () => threads.started.filter(({ hasEnded }) => !hasEnded).map(numberOf)
  }
})

const reasonOf = <A>(exit: Exit.Exit<A, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
  assert.instanceOf(error, HostCallError.HostCallError)
  return error.reason
}
const joined = <A, E>(fiber: Fiber.Fiber<Exit.Exit<A, E>>) => Effect.flatMap(Fiber.join(fiber), (exit) => exit)
const lostReason = (fiber: Fiber.Fiber<Exit.Exit<unknown, unknown>>) =>
  Effect.map(Fiber.join(fiber), (exit) => {
    const reason = reasonOf(exit)
    assert.strictEqual(reason._tag, "ThreadLost")
    return reason as HostCallError.ThreadLost
  })

describe("the size of a pool", () => {
  it.effect("is fixed: all threads are there when the layer is, and no more come", () =>
    Effect.gen(function* () {
      const { alive, began, jobs, run } = yield* jobsPool({ size: 3, concurrency: 1 })
      assert.deepStrictEqual(alive(), [0, 1, 2])
      yield* Effect.forEach(
        Array.from({ length: 10 }, (_, id) => id),
        run
      )
      yield* until(() => began.length === 3)
      yield* settled
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 7, active: 3, threads: 3, lost: 0 })
      assert.deepStrictEqual(alive(), [0, 1, 2])
    })
  )

  it.effect("grows by a thread when a call finds no idle one, up to the maximum", () =>
    Effect.gen(function* () {
      const { alive, began, jobs, open, run } = yield* jobsPool({ size: { min: 1, max: 3 }, concurrency: 1 })
      yield* run(0)
      yield* until(() => began.length === 1)
      assert.deepStrictEqual(alive(), [0])
      const second = yield* run(1)
      yield* until(() => began.length === 2)
      assert.deepStrictEqual(alive(), [0, 1])
      yield* open(1)
      assert.strictEqual(yield* joined(second), 1)
      // Thread 1 is idle now: nothing has to grow.
      yield* run(2)
      yield* settled
      assert.deepStrictEqual(alive(), [0, 1])
      for (const id of [3, 4, 5]) yield* run(id)
      yield* until(() => began.length === 4)
      yield* settled
      assert.deepStrictEqual(alive(), [0, 1, 2])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 2, active: 3, threads: 3, lost: 0 })
    })
  )

  it.effect("grows for calls that come at once as far as they need it", () =>
    Effect.gen(function* () {
      const { alive, began, jobs, run } = yield* jobsPool({ size: { min: 1, max: 4 }, concurrency: 1 })
      for (const id of [0, 1, 2]) yield* run(id)
      yield* until(() => began.length === 3)
      yield* settled
      assert.deepStrictEqual(alive(), [0, 1, 2])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 3, threads: 3, lost: 0 })
    })
  )

  it.effect("a thread that had nothing to do for the idle time ends, down to the minimum; names stay unique", () =>
    Effect.gen(function* () {
      const size = { min: 1, max: 3, idleTime: "10 seconds" } as const
      const { alive, began, jobs, open, run } = yield* jobsPool({ size, concurrency: 1 })
      for (const id of [0, 1, 2]) {
        yield* run(id)
        yield* until(() => began.length === id + 1)
      }
      assert.deepStrictEqual(alive(), [0, 1, 2])
      yield* open(0, 1)
      yield* until(() => HostPool.stats(jobs).active === 1)
      yield* TestClock.adjust("20 seconds")
      yield* until(() => alive().length === 2)
      // Thread 2 has a call still, and thread 0 is the least there may be.
      assert.deepStrictEqual(alive(), [0, 2])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 1, threads: 2, lost: 0 })
      yield* run(3)
      yield* run(4)
      yield* until(() => began.length === 5)
      assert.deepStrictEqual(alive().toSorted(), [0, 1, 2])
      yield* open(2, 3, 4)
      yield* until(() => HostPool.stats(jobs).active === 0)
      yield* TestClock.adjust("20 seconds")
      yield* until(() => alive().length === 1)
      assert.deepStrictEqual(alive(), [0])
      assert.strictEqual(HostPool.stats(jobs).lost, 0)
    })
  )

  it.effect("an idle time of nothing is a millisecond: who looks for idle threads pauses", () =>
    Effect.gen(function* () {
      const { alive, began, jobs, open, run } = yield* jobsPool({
        size: { min: 1, max: 2, idleTime: 0 },
        concurrency: 1
      })
      yield* run(0)
      yield* run(1)
      yield* until(() => began.length === 2)
      yield* open(0, 1)
      yield* until(() => HostPool.stats(jobs).active === 0)
      yield* settled
      assert.deepStrictEqual(alive(), [0, 1])
      yield* TestClock.adjust("2 millis")
      yield* until(() => alive().length === 1)
    })
  )

  it.effect("a thread that is used now and then stays", () =>
    Effect.gen(function* () {
      const size = { min: 1, max: 2, idleTime: "10 seconds" } as const
      const { alive, began, jobs, run } = yield* jobsPool({ size, concurrency: 1 })
      yield* run(0)
      yield* run(1)
      yield* until(() => began.length === 2)
      const busy = began.find(([, id]) => id === 0)![0]
      for (let i = 0; i < 5; i++) {
        yield* TestClock.adjust("9 seconds")
        yield* settled
      }
      assert.strictEqual(busy, 0)
      assert.deepStrictEqual(alive(), [0, 1])
      assert.strictEqual(HostPool.stats(jobs).threads, 2)
    })
  )

  it.effect("a further thread that cannot start costs no call, and the pool goes on", () =>
    Effect.gen(function* () {
      const onStart = (_: FakeThread, nth: number) => (nth === 2 ? Effect.fail(new Error("no luck")) : Effect.void)
      const { alive, began, open, run } = yield* jobsPool({ size: { min: 1, max: 2 }, concurrency: 1 }, { onStart })
      const first = yield* run(0)
      const second = yield* run(1)
      yield* until(() => alive().length === 1 && began.length === 1)
      yield* settled
      yield* open(0, 1)
      assert.strictEqual(yield* joined(first), 0)
      assert.strictEqual(yield* joined(second), 0)
    })
  )

  it.effect("is a count of at least one: anything else is a defect", () =>
    Effect.gen(function* () {
      for (const options of [
        { size: 0 },
        { size: 1.5 },
        { size: { min: 0, max: 2 } },
        { size: { min: 3, max: 2 } },
        { concurrency: 0 },
        { capacity: -1 },
        { capacity: Number.NaN }
      ]) {
        const exit = yield* Effect.exit(jobsPool(options))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause), JSON.stringify(options))
      }
    })
  )
})

describe("a thread of a pool", () => {
  it.effect("has at most `concurrency` calls; the others wait for room, and come in order", () =>
    Effect.gen(function* () {
      const { began, jobs, open, run } = yield* jobsPool({ size: 1, concurrency: 2 })
      const calls = yield* Effect.forEach([0, 1, 2, 3, 4], run)
      yield* until(() => began.length === 2)
      yield* settled
      assert.deepStrictEqual(began, [
        [0, 0],
        [0, 1]
      ])
      assert.strictEqual(HostPool.stats(jobs).waiting, 3)
      yield* open(1)
      yield* until(() => began.length === 3)
      assert.deepStrictEqual(began[2], [0, 2])
      yield* open(0, 2, 3, 4)
      for (const call of calls) assert.strictEqual(yield* joined(call), 0)
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 0 })
    })
  )

  it.effect("gets a call when it is the least busy", () =>
    Effect.gen(function* () {
      const { began, jobs, open, run } = yield* jobsPool({ size: 3, concurrency: 10 })
      for (let id = 0; id < 6; id++) yield* run(id)
      yield* until(() => began.length === 6)
      assert.deepStrictEqual(began.map(([thread]) => thread).toSorted(), [0, 0, 1, 1, 2, 2])
      const onOne = began.filter(([thread]) => thread === 1).map(([, id]) => id)
      yield* open(...onOne)
      yield* until(() => HostPool.stats(jobs).active === 4)
      assert.strictEqual(yield* jobs.where(), 1)
    })
  )

  it.effect("an interrupted call keeps its place until the thread has answered it", () =>
    Effect.gen(function* () {
      const { fork, jobs, run, began } = yield* jobsPool({ size: 1, concurrency: 1, grace: 0 })
      const stubborn = yield* fork(jobs.stubborn())
      yield* settled
      yield* Fiber.interrupt(stubborn)
      yield* run(1)
      yield* settled
      assert.deepStrictEqual(began, [])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 1, active: 1, threads: 1, lost: 0 })
    })
  )

  it.effect("goes on with calls that do not end when they are interrupted, if it hears", () =>
    Effect.gen(function* () {
      const { alive, fork, jobs } = yield* jobsPool({ size: 1, grace: 0, escalation: { interrupted: "1 second" } })
      const stubborn = yield* fork(jobs.stubborn())
      yield* settled
      yield* Fiber.interrupt(stubborn)
      for (let seconds = 0; seconds < 60; seconds++) {
        yield* settled
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(alive(), [0])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 1, threads: 1, lost: 0 })
    })
  )

  for (const interrupted of ["0 seconds", "1 second"] as const) {
    it.effect(`${interrupted} after a caller has left it goes on, if it does not compute, however fast time goes`, () =>
      Effect.gen(function* () {
        const { alive, began, jobs, run } = yield* jobsPool({ size: 1, escalation: { interrupted } })
        const left = yield* run(0)
        yield* until(() => began.length === 1)
        yield* Fiber.interrupt(left)
        yield* TestClock.adjust("1 minute")
        yield* until(() => HostPool.stats(jobs).active === 0)
        yield* settled
        assert.deepStrictEqual(alive(), [0])
        assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 0 })
      })
    )
  }
})

describe("a call that finds no room", () => {
  it.effect("waits, in its caller; `try` fails with NoRoom when as many wait as may", () =>
    Effect.gen(function* () {
      const { fork, began, jobs, open, run } = yield* jobsPool({ size: 1, concurrency: 1, capacity: 2 })
      const first = yield* run(0)
      const tried = yield* fork(jobs.run.try({ id: 1 }))
      const waiting = yield* run(2)
      const refused = reasonOf(yield* Effect.exit(jobs.run.try({ id: 3 })))
      assert.deepStrictEqual({ ...refused }, { _tag: "NoRoom", capacity: 2 } as never)
      const stream = reasonOf(yield* Effect.exit(Stream.runDrain(jobs.tail.try())))
      assert.strictEqual(stream._tag, "NoRoom")
      // The others wait without a bound.
      const more = yield* run(4)
      assert.strictEqual(HostPool.stats(jobs).waiting, 3)
      yield* open(0, 1, 2, 4)
      for (const call of [first, tried, waiting, more]) assert.strictEqual(yield* joined(call), 0)
      assert.deepStrictEqual(
        began.map(([, id]) => id),
        [0, 1, 2, 4]
      )
    })
  )

  it.effect("with a capacity of 0 `try` runs at once or fails", () =>
    Effect.gen(function* () {
      const { fork, jobs, open } = yield* jobsPool({ size: 1, concurrency: 1, capacity: 0 })
      const runs = yield* fork(jobs.run.try({ id: 0 }))
      assert.strictEqual(reasonOf(yield* Effect.exit(jobs.run.try({ id: 1 })))._tag, "NoRoom")
      yield* open(0)
      assert.strictEqual(yield* joined(runs), 0)
    })
  )

  it.effect("never runs when its caller is interrupted first", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, open, run } = yield* jobsPool({ size: 1, concurrency: 1 })
      yield* run(0)
      const left = yield* run(1)
      const tail = yield* fork(Stream.runDrain(jobs.tail()))
      const last = yield* run(2)
      yield* Fiber.interrupt(left)
      yield* Fiber.interrupt(tail)
      assert.strictEqual(HostPool.stats(jobs).waiting, 1)
      yield* open(0, 1, 2)
      yield* joined(last)
      assert.deepStrictEqual(
        began.map(([, id]) => id),
        [0, 2]
      )
    })
  )

  it.effect("made while the arguments of one that does not fit are read gets its room", () =>
    Effect.gen(function* () {
      const { fork, jobs } = yield* jobsPool({ size: 1, concurrency: 1 })
      let inner: Fiber.Fiber<Exit.Exit<number, unknown>> | undefined
      const payload = {
        get id() {
          inner = Effect.runFork(Effect.exit(jobs.where()))
          return 0.5
        }
      }
      assert.strictEqual(reasonOf(yield* Effect.exit(jobs.run(payload)))._tag, "ArgumentsRefused")
      assert.deepStrictEqual(yield* Fiber.join(inner!), Exit.succeed(0))
      assert.deepStrictEqual(yield* Fiber.join(yield* fork(jobs.where())), Exit.succeed(0))
    })
  )

  it.effect("whose arguments do not fit is told so when its turn comes, and those behind it keep their order", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, open, run } = yield* jobsPool({ size: 1, concurrency: 1 })
      yield* run(0)
      const refused = yield* fork(
        // When it is refused its caller makes another call at once, which has to go to the end of the line.
        Effect.catch(jobs.run({ id: 0.5 }), (error) => Effect.as(jobs.run({ id: 9 }), error))
      )
      const behind = yield* run(1)
      yield* open(0, 1, 9)
      const error = yield* joined(refused)
      assert.strictEqual(typeof error === "number" ? error : error.reason._tag, "ArgumentsRefused")
      yield* joined(behind)
      assert.deepStrictEqual(
        began.map(([, id]) => id),
        [0, 1, 9]
      )
    })
  )
})

describe("calls that are pinned to a key", () => {
  it.effect("run on one thread, in order, and different keys are spread over all", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, open } = yield* jobsPool({ size: 3, concurrency: 1 })
      const threads = new Set<number>()
      for (const key of ["a", "b", "c", "d", "e", "f", 1, 2, 3, 4]) {
        const first = yield* HostPool.pinned(jobs.where(), key)
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* HostPool.pinned(jobs.where(), key), first)
        threads.add(first)
      }
      assert.strictEqual(threads.size, 3)
      const ids = Array.from({ length: 20 }, (_, id) => id)
      const calls = yield* Effect.forEach(ids, (id) => fork(HostPool.pinned(jobs.run({ id }), "a")))
      yield* open(...ids)
      for (const call of calls) yield* joined(call)
      assert.deepStrictEqual(
        began.map(([, id]) => id),
        ids
      )
      assert.strictEqual(new Set(began.map(([thread]) => thread)).size, 1)
    })
  )

  it.effect("wait for its replacement when the thread is lost, in order, while other threads go on", () =>
    Effect.gen(function* () {
      const restart = Schedule.spaced("1 minute")
      const { began, fork, jobs, open, threads } = yield* jobsPool({ size: 2, concurrency: 1, restart })
      const pinned = (id: number) => fork(HostPool.pinned(jobs.run({ id }), "key"))
      const lost = yield* pinned(0)
      const waits = [yield* pinned(1), yield* pinned(2)]
      yield* until(() => began.length === 1)
      const [[thread]] = began as [readonly [number, number]]
      threads.find((it) => numberOf(it) === thread)!.crash(9)
      const { exitCode, lastRan } = yield* lostReason(lost)
      assert.deepStrictEqual([exitCode, lastRan], [9, "run"])
      const waits3 = yield* pinned(3)
      yield* settled
      assert.strictEqual(began.length, 1)
      assert.strictEqual(yield* jobs.where(), 1 - thread)
      yield* open(1, 2, 3)
      yield* TestClock.adjust("1 minute")
      for (const call of [...waits, waits3]) assert.strictEqual(yield* joined(call), thread)
      assert.deepStrictEqual(
        began.map(([, id]) => id),
        [0, 1, 2, 3]
      )
    })
  )

  it.effect("stay on the threads that are always there when the pool grows", () =>
    Effect.gen(function* () {
      const { alive, jobs, run } = yield* jobsPool({ size: { min: 1, max: 3 }, concurrency: 5 })
      for (const id of [0, 1, 2]) yield* run(id)
      yield* until(() => alive().length > 1)
      for (const key of ["a", "b", "c", "d"]) assert.strictEqual(yield* HostPool.pinned(jobs.where(), key), 0)
    })
  )
})

describe("a lost thread", () => {
  it.effect("fails only its own calls, with its exit code and what ran last, and is replaced at once", () =>
    Effect.gen(function* () {
      const { began, jobs, open, run, threads } = yield* jobsPool({ size: 2, concurrency: 2 })
      const calls = yield* Effect.forEach([0, 1, 2, 3, 4], run)
      yield* until(() => began.length === 4)
      const on = (thread: number) => began.filter((it) => it[0] === thread).map((it) => it[1])
      const [own, others] = [on(0), on(1)]
      threads[0]!.crash(3, "the end")
      for (const id of own) {
        const reason = yield* lostReason(calls[id]!)
        assert.deepStrictEqual({ ...reason }, {
          _tag: "ThreadLost",
          thread: "test/Jobs#0",
          exitCode: 3,
          detail: "the end",
          lastRan: "run"
        } as never)
      }
      assert.strictEqual(HostPool.stats(jobs).lost, 1)
      // Who waited runs on the replacement.
      yield* until(() => threads.length === 3 && began.length === 5)
      assert.deepStrictEqual(began[4], [0, 4])
      yield* open(...others, 4)
      for (const id of others) assert.strictEqual(yield* joined(calls[id]!), 1)
      assert.strictEqual(yield* joined(calls[4]!), 0)
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 2, lost: 1 })
    })
  )

  it.effect("leaves calls that it had not begun to others, before those that came after them", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, open, run, threads } = yield* jobsPool({ size: 1, concurrency: 4 })
      const own = yield* run(0)
      yield* until(() => began.length === 1)
      // Under way when it crashes.
      const unbegun = [yield* run(1), yield* fork(HostPool.pinned(jobs.run({ id: 2 }), "key")), yield* run(3)]
      const after = yield* run(4)
      threads[0]!.crash(1)
      yield* lostReason(own)
      yield* open(1, 2, 3, 4)
      for (const call of [...unbegun, after]) assert.strictEqual(yield* joined(call), 0)
      assert.sameDeepMembers(
        began.filter(([, id]) => id !== 2),
        [0, 1, 3, 4].map((id) => [0, id] as const)
      )
      assert.lengthOf(began, 5)
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 1 })
    })
  )

  it.effect("leaves no call to others whose arguments are not there any more, or whose caller has left", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, run, threads } = yield* jobsPool({ size: 1 })
      const bytes = new Uint8Array(70_000)
      const moved = yield* fork(jobs.move({ bytes }))
      assert.isTrue(bytes.buffer.detached)
      let reads = 0
      const changed = yield* fork(
        jobs.run({
          get id() {
            return reads++ === 0 ? 1 : 0.5
          }
        })
      )
      const left = yield* run(2)
      yield* Effect.forkChild(Effect.andThen(Effect.exit(Fiber.join(moved)), Fiber.interrupt(left)), {
        startImmediately: true
      })
      threads[0]!.crash(1)
      yield* lostReason(moved)
      yield* lostReason(changed)
      assert.strictEqual(yield* jobs.where(), 0)
      assert.deepStrictEqual(began, [])
    })
  )

  it.effect("leaves no call to others that another was lost with before", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, run, threads } = yield* jobsPool({ size: 1 })
      let reads = 0
      const deadly = yield* fork(
        jobs.run({
          get id() {
            reads++
            // When it is sent, and before it can be read.
            queueMicrotask(() => threads.at(-1)!.crash(1))
            return 1
          }
        })
      )
      const behind = yield* run(2)
      for (const call of [deadly, behind]) yield* lostReason(call)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* jobs.where(), 0)
      assert.strictEqual(reads, 2)
      assert.deepStrictEqual(began, [])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 2 })
    })
  )

  it.effect("leaves a call to others with what was not sent of it, as a guest's is made", () =>
    Effect.gen(function* () {
      const { fork, jobs, threads } = yield* jobsPool({ size: 1 })
      const { bytes, codec } = (yield* HostFunction.implement(Jobs.codecs, jobs)).get("move")!
      const encoded = Result.getOrThrow(codec.encodeArguments({ bytes: new Uint8Array(70_000) }))
      // A guest gives its bytes away.
      const args = encoded.map((argument) => argument.slice())
      const unsent = yield* fork(bytes(args))
      threads[0]!.crash(1)
      yield* settled
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(unsent)))
      assert.isTrue(args[0]!.buffer.detached)
    })
  )

  it.effect("never leaves a call to others that it had begun, in whatever order they were made", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, run, threads } = yield* jobsPool({ size: 1 })
      let within: Fiber.Fiber<Exit.Exit<number, unknown>> | undefined
      /** Of which another call is made while its arguments are read. */
      const nesting = (id: number, inner: number) => ({
        get id() {
          within = Effect.runFork(Effect.exit(jobs.run({ id: inner })))
          return id
        }
      })
      assert.strictEqual(reasonOf(yield* Effect.exit(jobs.run(nesting(0.5, 1))))._tag, "ArgumentsRefused")
      const first = within!
      const second = yield* fork(jobs.run(nesting(2, 3)))
      const third = within!
      yield* until(() => began.length === 3)
      const unbegun = yield* run(4)
      threads[0]!.crash(1)
      for (const call of [first, second, third]) yield* lostReason(call)
      yield* until(() => began.length === 4)
      assert.deepStrictEqual(
        began.map(([, id]) => id),
        [1, 2, 3, 4]
      )
      yield* Fiber.interrupt(unbegun)
    })
  )

  it.effect("that is heard to have begun when it has ended is given no calls", () =>
    Effect.gen(function* () {
      let starts = 0
      const { layer, started } = fakeThreadsOf((thread, port) => {
        const handlers = Notes.toLayer(
          Effect.sync(() => {
            // What it says next is in the memory of its port by then, and not read.
            if (++starts === 2) setImmediate(() => thread.crash(1))
            return { note: () => Effect.void }
          })
        )
        return HostRunner.run(Notes, handlers, port, thread.data)
      }, true)
      const notes = yield* ThreadPool.make(Notes, { program, restart: Schedule.forever }).pipe(Effect.provide(layer))
      started[0]!.crash(1)
      const call = yield* Effect.forkChild(Effect.exit(notes.note({ text: "" })), { startImmediately: true })
      yield* until(() => call.pollUnsafe() !== undefined)
      assert.deepStrictEqual(yield* Fiber.join(call), Exit.void)
      assert.strictEqual(starts, 3)
      assert.deepStrictEqual(HostPool.stats(notes), { waiting: 0, active: 0, threads: 1, lost: 1 })
      yield* HostPool.drain(notes)
    })
  )

  it.effect("that keeps being lost is replaced more and more slowly, until a replacement answers a call", () =>
    Effect.gen(function* () {
      const { alive, jobs, threads } = yield* jobsPool({ size: 1 })
      const lose = Effect.gen(function* () {
        yield* until(() => HostPool.stats(jobs).threads === 1)
        threads.at(-1)!.crash(1)
        yield* settled
      })
      const comesAfter = Effect.fn(function* (millis: number) {
        if (millis > 0) {
          yield* TestClock.adjust(millis - 1)
          yield* settled
          assert.deepStrictEqual(alive(), [])
          yield* TestClock.adjust(1)
        }
        yield* until(() => alive().length === 1)
      })
      for (const millis of [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
        yield* lose
        yield* comesAfter(millis)
      }
      assert.strictEqual(yield* jobs.where(), 0)
      yield* lose
      yield* comesAfter(0)
      assert.strictEqual(HostPool.stats(jobs).lost, 10)
    })
  )

  it.effect("is logged where no caller is told of it, and so is one that cannot begin in its place", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(logLevel, String(message).split("\n")[0]))
      yield* Effect.gen(function* () {
        const onStart = (_: FakeThread, nth: number) => (nth === 2 ? Effect.fail(new Error("no room")) : Effect.void)
        const { alive, began, run, threads } = yield* jobsPool({ size: 1 }, { onStart })
        threads[0]!.crash(1)
        yield* settled
        assert.deepStrictEqual(lines, [
          "Warn",
          "test/Jobs#0 was lost: it crashed (exit code 1)",
          "Warn",
          "test/Jobs#0 could not start: Error: no room"
        ])
        yield* TestClock.adjust(100)
        yield* until(() => alive().length === 1)
        const lost = yield* run(0)
        yield* until(() => began.length === 1)
        threads.at(-1)!.crash(1)
        yield* lostReason(lost)
        yield* settled
        assert.lengthOf(lines, 4)
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  )

  it.effect("that would have been one more, but cannot begin, is logged, and tried again after a second", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message).split("\n")[0]))
      yield* Effect.gen(function* () {
        const onStart = (_: FakeThread, nth: number) => (nth === 2 ? Effect.fail(new Error("no room")) : Effect.void)
        const { alive, began, open, run } = yield* jobsPool({ size: { min: 1, max: 2 }, concurrency: 1 }, { onStart })
        const calls = yield* Effect.forEach([0, 1], run)
        yield* until(() => began.length === 1)
        yield* settled
        assert.deepStrictEqual(lines, ["test/Jobs#1 could not start: Error: no room"])
        yield* TestClock.adjust(999)
        calls.push(yield* run(2))
        yield* settled
        assert.lengthOf(alive(), 1)
        yield* TestClock.adjust(1)
        calls.push(yield* run(3))
        yield* until(() => alive().length === 2)
        yield* open(0, 1, 2, 3)
        yield* Effect.forEach(calls, joined)
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  )

  it.effect("that the policy replaces no more leaves the calls to the others", () =>
    Effect.gen(function* () {
      const { began, run, open, threads, jobs } = yield* jobsPool({
        size: 2,
        concurrency: 1,
        restart: Schedule.recurs(0)
      })
      threads[0]!.crash(1)
      const calls = yield* Effect.forEach([0, 1], run)
      yield* until(() => began.length === 1)
      yield* open(0, 1)
      for (const call of calls) assert.strictEqual(yield* joined(call), 1)
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 1 })
    })
  )

  it.effect("that was the last one: calls fail with NoThread at once, also those that wait", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, run, threads } = yield* jobsPool({
        size: 2,
        concurrency: 1,
        restart: Schedule.recurs(0)
      })
      const calls = yield* Effect.forEach([0, 1, 2], run)
      const pinned = yield* fork(HostPool.pinned(jobs.run({ id: 3 }), "key"))
      yield* until(() => began.length === 2)
      threads[0]!.crash(1, "the first end")
      threads[1]!.crash(1, "the second end")
      for (const call of [calls[0]!, calls[1]!]) yield* lostReason(call)
      for (const call of [calls[2]!, pinned]) {
        const reason = reasonOf(yield* Fiber.join(call))
        assert.strictEqual(reason._tag, "NoThread")
        assert.match(reason._tag === "NoThread" ? reason.detail : "", /test\/Jobs#\d was lost: the (first|second) end/)
      }
      for (const call of [jobs.where(), jobs.where.try(), HostPool.pinned(jobs.where(), "key")]) {
        assert.strictEqual(reasonOf(yield* Effect.exit(call))._tag, "NoThread")
      }
      const stream = reasonOf(yield* Effect.exit(Stream.runDrain(jobs.tail())))
      assert.strictEqual(stream._tag, "NoThread")
      yield* HostPool.drain(jobs)
    })
  )

  it.effect("whose replacements cannot start counts towards the policy's end", () =>
    Effect.gen(function* () {
      const onStart = (_: FakeThread, nth: number) => (nth > 1 ? Effect.fail(new Error("no luck")) : Effect.void)
      const { jobs, run, threads } = yield* jobsPool(
        { size: 1, concurrency: 1, restart: Schedule.recurs(2) },
        { onStart }
      )
      threads[0]!.crash(1)
      const call = yield* run(0)
      const reason = reasonOf(yield* Fiber.join(call))
      assert.match(reason._tag === "NoThread" ? reason.detail : reason._tag, /could not start.*no luck/s)
      assert.strictEqual(threads.length, 3)
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 0, lost: 1 })
    })
  )

  it.effect("that came when the pool grew does not stop it from growing again", () =>
    Effect.gen(function* () {
      const { began, open, run, threads } = yield* jobsPool({
        size: { min: 1, max: 2 },
        concurrency: 1,
        restart: Schedule.recurs(0)
      })
      yield* run(0)
      const lost = yield* run(1)
      yield* until(() => began.length === 2)
      threads[1]!.crash(1)
      yield* lostReason(lost)
      const again = yield* run(2)
      yield* until(() => began.length === 3)
      yield* open(0, 2)
      assert.strictEqual(yield* joined(again), 1)
    })
  )

  it.effect("that was always there, and is replaced no more, leaves a pool that grows, and shrinks to one", () =>
    Effect.gen(function* () {
      const { alive, began, jobs, open, run, threads } = yield* jobsPool({
        size: { min: 1, max: 4, idleTime: "10 seconds" },
        concurrency: 1,
        restart: Schedule.recurs(0)
      })
      const lost = yield* run(0)
      yield* run(1)
      yield* until(() => began.length === 2)
      threads[0]!.crash(1)
      yield* lostReason(lost)
      yield* settled
      for (const id of [2, 3]) {
        yield* run(id)
        yield* until(() => began.length === id + 1)
      }
      yield* open(1, 2, 3)
      yield* until(() => HostPool.stats(jobs).active === 0)
      yield* TestClock.adjust("20 seconds")
      yield* until(() => alive().length === 1)
      // And no less, however long it has nothing to do.
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.lengthOf(alive(), 1)
      assert.strictEqual(yield* jobs.greet(), "hello")
    })
  )

  it.effect("gives the elements of a stream that came before, and then says that it was lost", () =>
    Effect.gen(function* () {
      const { fork, jobs, threads } = yield* jobsPool({ size: 1 })
      const taken: Array<number> = []
      const reader = yield* fork(Stream.runForEach(jobs.tail(), (n) => Effect.sync(() => taken.push(n))))
      yield* until(() => taken.length === 3)
      threads[0]!.crash(4)
      const { exitCode, lastRan } = yield* lostReason(reader)
      assert.deepStrictEqual([exitCode, lastRan], [4, "tail"])
    })
  )

  it.effect("a thread that ends as soon as it is ready is a lost one", () =>
    Effect.gen(function* () {
      const onStart = (thread: FakeThread, nth: number) =>
        Effect.sync(() => {
          // Right behind the message that says that it is ready.
          if (nth === 1) setImmediate(() => setImmediate(() => thread.crash(5)))
        })
      const { jobs } = yield* jobsPool({ size: 1 }, { onStart })
      yield* settled
      assert.strictEqual(yield* jobs.where(), 0)
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 1 })
    })
  )

  it.effect("one that sends what is no frame is ended: its calls fail with that, and it gets no more", () =>
    Effect.gen(function* () {
      const frame = (...bytes: ReadonlyArray<number>) => Uint8Array.from(bytes)
      for (const message of [
        "x",
        null,
        {},
        [],
        ["x"],
        [new ArrayBuffer(1), 1],
        frame(0xc1),
        frame(2), // a reply without an id
        frame(2, 77, 0, 0, 0, 0), // of a call that there is not
        frame(2, 1), // without a value
        frame(2, 1, 0, 0, 0, 9), // with a longer value than the message
        frame(4, 77, 1, 0, 0, 0, 0),
        frame(4, 1, 1, 0, 0, 0, 0), // an element of a call that is no stream
        frame(1, 1, 0, 0, 0, 0), // a call
        frame(7, 99, 0, 0, 0, 0), // a signal that there is not
        frame(7, 4, 0, 0, 0, 1, 0xc0), // a line of a log that is none
        frame(99, 1)
      ]) {
        const { began, jobs, open, run, threads } = yield* jobsPool({ size: 1, concurrency: 1 })
        const call = yield* run(0)
        const waiting = yield* run(1)
        yield* until(() => began.length === 1)
        threads[0]!.say(message)
        const reason = yield* lostReason(call)
        assert.notInclude(reason.detail, "terminated", String(message))
        yield* open(1)
        assert.strictEqual(yield* joined(waiting), 0)
        assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 1, lost: 1 })
        assert.strictEqual(threads.length, 2)
      }
    })
  )
})

describe("a stream", () => {
  it.effect("whose thread sends a portion without elements goes on", () =>
    Effect.gen(function* () {
      const { fork, jobs, threads } = yield* jobsPool({ size: 1 })
      const taken: Array<number> = []
      const tail = yield* fork(Stream.runForEach(jobs.tail(), (element) => Effect.sync(() => taken.push(element))))
      yield* until(() => taken.length === 3)
      threads[0]!.say(Uint8Array.of(4, 1, 0, 0, 0, 0))
      threads[0]!.say(Uint8Array.of(4, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7))
      yield* until(() => taken.length === 4)
      assert.deepStrictEqual(taken, [1, 2, 3, 7])
      yield* Fiber.interrupt(tail)
    })
  )
})

describe("a pool that ends", () => {
  it.effect("lets calls that are in finish within the drain time; waiting ones run, new ones fail with Closed", () =>
    Effect.gen(function* () {
      const { alive, began, close, fork, jobs, open, run } = yield* jobsPool({
        size: 1,
        concurrency: 1,
        drain: "1 minute"
      })
      const calls = yield* Effect.forEach([0, 1], run)
      yield* until(() => began.length === 1)
      const closing = yield* fork(close)
      assert.strictEqual(reasonOf(yield* Effect.exit(jobs.where()))._tag, "Closed")
      yield* TestClock.adjust("30 seconds")
      yield* open(0, 1)
      for (const call of calls) assert.strictEqual(yield* joined(call), 0)
      yield* joined(closing)
      assert.deepStrictEqual(alive(), [])
    })
  )

  it.effect("settles calls with Closed past the drain time, and interrupts them", () =>
    Effect.gen(function* () {
      const { alive, began, close, fork, interrupted, jobs, run } = yield* jobsPool({
        size: 1,
        concurrency: 1,
        drain: "1 minute"
      })
      const calls = yield* Effect.forEach([0, 1], run)
      yield* until(() => began.length === 1)
      const closing = yield* fork(close)
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(calls[0]!.pollUnsafe())
      yield* TestClock.adjust("1 second")
      for (const call of calls) assert.strictEqual(reasonOf(yield* Fiber.join(call))._tag, "Closed")
      yield* joined(closing)
      assert.deepStrictEqual(interrupted, [0])
      assert.deepStrictEqual(alive(), [])
      assert.deepStrictEqual(HostPool.stats(jobs), { waiting: 0, active: 0, threads: 0, lost: 0 })
    })
  )

  it.effect("terminates a thread that has not ended within the grace time", () =>
    Effect.gen(function* () {
      const { alive, close, fork, jobs } = yield* jobsPool({ size: 2, grace: "3 seconds" })
      const call = yield* fork(jobs.stubborn())
      yield* settled
      const closing = yield* fork(close)
      assert.strictEqual(reasonOf(yield* Fiber.join(call))._tag, "Closed")
      yield* until(() => alive().length === 1)
      yield* TestClock.adjust("2999 millis")
      yield* settled
      assert.strictEqual(alive().length, 1)
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* joined(closing)
      assert.deepStrictEqual(alive(), [])
    })
  )

  it.effect("is drained when the last of its calls is gone, also one that waited while there was no thread", () =>
    Effect.gen(function* () {
      const { began, fork, jobs, run, threads } = yield* jobsPool({ size: 1, restart: Schedule.spaced("1 hour") })
      const lost = yield* run(0)
      yield* until(() => began.length === 1)
      const drained = yield* fork(HostPool.drain(jobs))
      threads[0]!.crash(1)
      yield* lostReason(lost)
      yield* joined(drained)
    })
  )

  it.effect("is drained when the last of those who wait leaves", () =>
    Effect.gen(function* () {
      const { fork, jobs, run, threads } = yield* jobsPool({ size: 1, restart: Schedule.spaced("1 hour") })
      threads[0]!.crash(1)
      const waits = yield* run(0)
      const drained = yield* fork(HostPool.drain(jobs))
      yield* settled
      assert.isUndefined(drained.pollUnsafe())
      yield* Fiber.interrupt(waits)
      yield* joined(drained)
    })
  )

  it.effect("settles calls of a thread that is being ended with Closed, too", () =>
    Effect.gen(function* () {
      const { began, close, fork, jobs, run, threads } = yield* jobsPool({ size: 1 })
      const call = yield* run(0)
      yield* until(() => began.length === 1)
      // What is no frame ends it: it is given no more, and its end comes in a later turn.
      threads[0]!.say({})
      yield* until(() => HostPool.stats(jobs).threads === 0)
      const closing = yield* fork(close)
      assert.strictEqual(reasonOf(yield* Fiber.join(call))._tag, "Closed")
      yield* joined(closing)
    })
  )

  it.effect("is not drained before the calls that a lost thread had not begun are answered by another", () =>
    Effect.gen(function* () {
      const { began, close, fork, open, run, threads } = yield* jobsPool({ size: 1, concurrency: 2, drain: "1 minute" })
      const own = yield* run(0)
      yield* until(() => began.length === 1)
      const unbegun = yield* run(1)
      const waits = yield* run(2)
      // Leaves when the first is told, before the second is given to another thread.
      yield* fork(Effect.andThen(Fiber.await(own), Fiber.interrupt(waits)))
      const closing = yield* fork(close)
      threads[0]!.crash(1)
      yield* lostReason(own)
      yield* open(1)
      assert.strictEqual(yield* joined(unbegun), 0)
      yield* joined(closing)
    })
  )

  it.effect("while a replacement starts, ends that as well", () =>
    Effect.gen(function* () {
      const onStart = (_: FakeThread, nth: number) => (nth > 1 ? Effect.never : Effect.void)
      const { alive, close, fork, run, threads } = yield* jobsPool({ size: 1 }, { onStart })
      threads[0]!.crash(1)
      yield* until(() => threads.length === 2)
      const waits = yield* run(0)
      const closing = yield* fork(close)
      assert.strictEqual(reasonOf(yield* Fiber.join(waits))._tag, "Closed")
      yield* joined(closing)
      assert.deepStrictEqual(alive(), [])
    })
  )
})

describe("what a thread is given and says", () => {
  it.effect("one that takes long to begin is told of in the log, once", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const { layer } = fakeThreadsOf(() => Effect.never)
      yield* ThreadPool.make(Work, { program }).pipe(Effect.provide(layer), Effect.forkChild)
      yield* settled
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual(lines, [])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(lines, [
        "suite/Work#0 has not begun after 10 seconds: fake:program has not come to the runner's run, or what it runs there is still being made"
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))]))
    )
  })

  it.effect("handlers get the initial value, of any length", () =>
    Effect.gen(function* () {
      for (const greeting of ["good day", "long".repeat(1 << 22)]) {
        const { jobs } = yield* jobsPool({}, { greeting })
        assert.isTrue((yield* jobs.greet()) === greeting)
      }
    })
  )

  it.effect("an initial value that its schema refuses is a defect that names the path", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(jobsPool({}, { greeting: "" }))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.match(Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "", /initial\.greeting/)
    })
  )

  it.effect(
    "its log arrives with level, annotations, spans, thread; what the application does not want is not sent",
    () =>
      Effect.gen(function* () {
        const lines: Array<unknown> = []
        const logger = Logger.make(({ fiber, logLevel, message }) => {
          const annotations = fiber.getRef(References.CurrentLogAnnotations)
          const spans = fiber.getRef(References.CurrentLogSpans).map(([label]) => label)
          lines.push({ logLevel, message, annotations, spans })
        })
        const around = { annotations: { job: "1", thread: "test/Jobs#0" }, spans: ["work", "application"] }
        const warning = { logLevel: "Warn", message: ["careful", '{"id":7}'], ...around }
        const logged = (level: "Info" | "Debug") =>
          Effect.gen(function* () {
            lines.length = 0
            const { jobs } = yield* jobsPool({ size: 1 })
            yield* jobs.log({ text: "careful" })
            return lines.slice()
          }).pipe(
            Effect.withLogSpan("application"),
            Effect.provide(Logger.layer([logger])),
            Effect.provideService(References.MinimumLogLevel, level)
          )
        assert.deepStrictEqual(yield* logged("Info"), [warning])
        assert.deepStrictEqual(yield* logged("Debug"), [warning, { logLevel: "Debug", message: ["detail"], ...around }])
      })
  )

  it.effect("what its handlers' own layer wants logged is logged, unless a caller wants something else", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ logLevel }) => void lines.push(logLevel))
      const { jobs } = yield* jobsPool({ size: 1 }, { logLevel: "Debug" }).pipe(Effect.provide(Logger.layer([logger])))
      yield* jobs.log({ text: "careful" })
      yield* Effect.provideService(jobs.log({ text: "careful" }), References.MinimumLogLevel, "Error")
      assert.deepStrictEqual(lines, ["Warn", "Debug"])
    })
  )

  it.effect("an error in its log arrives with its stack and its cause", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.gen(function* () {
        const { jobs } = yield* jobsPool({ size: 1 })
        yield* jobs.log({ text: "an error" })
      }).pipe(Effect.provide(Logger.layer([logger])))
      const [[text, error]] = lines as [[string, string]]
      assert.strictEqual(text, "an error")
      assert.match(error, /^Error: odd\n +at .*ThreadPool\.test\.ts.*\[cause\]: Error: why\n +at /s)
    })
  )

  it.effect("what JSON has no words for arrives in its log in words, and what is redacted stays so", () =>
    Effect.gen(function* () {
      const around: Record<string, unknown> = { name: "a" }
      around["self"] = around
      const inside = new Set<unknown>()
      inside.add([inside])
      const table: ReadonlyArray<readonly [value: unknown, text: string]> = [
        [
          { users: new Map([["ada", { ids: new Set([1]) }]]) },
          '{"users":{"_id":"Map","values":[["ada",{"ids":{"_id":"Set","values":[1]}}]]}}'
        ],
        [new Uint8Array([1, 2]), '{"_id":"Uint8Array","values":[1,2]}'],
        [[new BigInt64Array([1n]), 2n], '[{"_id":"BigInt64Array","values":["1n"]},"2n"]'],
        [{ at: new Date(0), never: new Date(Number.NaN) }, '{"at":"1970-01-01T00:00:00.000Z","never":"Invalid Date"}'],
        [around, '{"name":"a","self":"[Circular]"}'],
        [inside, '{"_id":"Set","values":[["[Circular]"]]}'],
        [new Map([["password", Redacted.make("secret")]]), '{"_id":"Map","values":[["password","<redacted>"]]}'],
        [{ toJSON: () => "its own", hidden: new Map() }, '"its own"'],
        [new Discreet([["password", "secret"]]), '"its own"'],
        [[new Hidden(["secret"])], '["<hidden>"]'],
        [[1, 2].values(), "{}"],
        [Option.some(1), '{"_id":"Option","_tag":"Some","value":1}']
      ]
      const texts: Array<unknown> = []
      const { layer } = fakeThreads(Notes, () =>
        Notes.toLayer({ note: () => Effect.forEach(table, ([value]) => Effect.log(value), { discard: true }) })
      )
      yield* Effect.flatMap(Notes, (notes) => notes.note({ text: "" })).pipe(
        Effect.provide(Layer.provide(ThreadPool.layer(Notes, { program }), layer)),
        Effect.provide(Logger.layer([Logger.make(({ message }) => void texts.push(message))]))
      )
      assert.deepStrictEqual(
        texts.flat(),
        table.map(([, text]) => text)
      )
    })
  )

  it.effect("what does not come into the text of a large collection in its log is not read", () =>
    Effect.gen(function* () {
      let read = 0
      const items = Array.from({ length: 200_000 }, (_, id) => ({
        get id() {
          read++
          return id
        }
      }))
      const texts: Array<unknown> = []
      const { layer } = fakeThreads(Notes, () => Notes.toLayer({ note: () => Effect.log(new Set(items)) }))
      yield* Effect.flatMap(Notes, (notes) => notes.note({ text: "" })).pipe(
        Effect.provide(Layer.provide(ThreadPool.layer(Notes, { program }), layer)),
        Effect.provide(Logger.layer([Logger.make(({ message }) => void texts.push(message))]))
      )
      assert.isAtMost(read, 100_000)
      const all = JSON.stringify({ _id: "Set", values: items })
      assert.deepStrictEqual(texts, [[all.slice(0, 100_000)]])
    })
  )

  it.effect("what a caller wants logged, or does not, is its own affair", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => {
        lines.push(message)
      })
      yield* Effect.gen(function* () {
        const { jobs } = yield* jobsPool({ size: 1 })
        const logged = Effect.fnUntraced(function* (level: LogLevel.LogLevel) {
          lines.length = 0
          yield* Effect.provideService(jobs.log({ text: "careful" }), References.MinimumLogLevel, level)
          return lines.flat()
        })
        assert.deepStrictEqual(yield* logged("Debug"), ["careful", '{"id":7}', "detail"])
        assert.deepStrictEqual(yield* logged("Info"), ["careful", '{"id":7}'])
        assert.deepStrictEqual(yield* logged("Error"), [])
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  )

  it.effect("a span whose ids are none that travel stays where it is, and the call is answered", () =>
    Effect.gen(function* () {
      const { jobs } = yield* jobsPool({ size: 1 })
      for (const traceId of ["", "of my own", "\ud800", "x".repeat(65)]) {
        const call = jobs.span().pipe(Effect.withParentSpan(Tracer.externalSpan({ traceId, spanId: "span" })))
        assert.isTrue(Option.isNone(yield* call))
      }
      const call = jobs.span().pipe(Effect.withParentSpan(Tracer.externalSpan({ traceId: "0x1-a", spanId: "7" })))
      assert.deepStrictEqual(yield* call, Option.some("7 of 0x1-a"))
    })
  )

  it.effect("its functions' spans, with what they log, are their callers' children in a tracer of its own", () =>
    Effect.gen(function* () {
      const made: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          made.push(span)
          return span
        }
      })
      const { layer } = fakeThreads(Notes, () =>
        Layer.provide(
          Notes.toLayer({ note: ({ text }) => Effect.withSpan(Effect.logInfo(text), "note") }),
          Layer.succeed(Tracer.Tracer, tracer)
        )
      )
      const caller = yield* Effect.gen(function* () {
        const notes = yield* Notes
        yield* notes.note({ text: "hello" })
        return yield* Effect.currentSpan
      }).pipe(
        Effect.withSpan("caller"),
        Effect.provide(Layer.provide(ThreadPool.layer(Notes, { program }), layer)),
        Effect.provide(Logger.layer([]))
      )
      const [span, ...others] = made
      assert.deepStrictEqual([span!.name, span!.traceId, others], ["note", caller.traceId, []])
      assert.deepStrictEqual(
        Option.map(span!.parent, ({ spanId }) => spanId),
        Option.some(caller.spanId)
      )
      assert.deepStrictEqual(
        span!.events.map(([name]) => name),
        ["hello"]
      )
    })
  )

  it.effect("a line of the log is cut to what fits, whatever it holds", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.gen(function* () {
        const { jobs } = yield* jobsPool({ size: 1 })
        yield* jobs.log({ text: "x".repeat(10_000_000) })
        assert.strictEqual(yield* jobs.where(), 0)
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.strictEqual(lines.length, 1)
    })
  )

  it.effect("a value that cannot be cloned fails its own call, and no other", () =>
    Effect.gen(function* () {
      const { jobs } = yield* jobsPool({ size: 1 })
      const [one, bad, other] = yield* Effect.all(
        [jobs.where(), Effect.exit(jobs.send({ value: { f: () => 0 } })), jobs.where()],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([one, other], [0, 0])
      assert.strictEqual(reasonOf(bad)._tag, "ArgumentsRefused")
      yield* jobs.send({ value: { n: 1 } })
    })
  )

  it.effect("a layer that fails with any text is told as what it said", () =>
    Effect.gen(function* () {
      const onStart = () => Effect.fail(new Error(`lone \ud800 ${"x".repeat(20_000_000)}`))
      const exit = yield* Effect.exit(jobsPool({}, { onStart }))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
      assert.match(String(error), /test\/Jobs#0 could not start: .*lone/)
    })
  )
})
