import { assert, describe, it } from "@effect/vitest"
import { HostCallError, HostPool } from "@fiberhost/core"
import { NodeHostPool } from "@fiberhost/node"
import { Cause, Duration, Effect, Exit, Fiber, Logger, Option } from "effect"
import { Crew, Gate } from "../fixtures/workCrew.ts"
import { until } from "../fixtures/workThreads.ts"

const program = new URL("../fixtures/workCrew.worker.ts", import.meta.url)
const options = { program, initial: { greeting: "hello" }, size: 1 }
const quick = { interrupted: "50 millis" } as const
const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(Effect.exit(effect), { startImmediately: true })
const isLost = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit
  return error instanceof HostCallError.HostCallError && error.reason._tag === "ThreadLost"
}

const lines: Array<string> = []
const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])

/** A pool of one thread; `concurrency` is 1 unless it is given. */
const withCrew = <A, E, R>(
  use: (crew: Crew["Service"]) => Effect.Effect<A, E, R>,
  given: Pick<NodeHostPool.Options<unknown>, "concurrency" | "escalation"> = {}
) =>
  Effect.gen(function* () {
    return yield* use(yield* Crew)
  }).pipe(
    Effect.provide(NodeHostPool.layer(Crew, { ...options, concurrency: 1, escalation: quick, ...given })),
    Effect.provide(logger)
  )

describe("a function of a pool that computes for ever", () => {
  for (const later of [false, true]) {
    const when = later ? "later on" : "at once"
    it.live(`${when}: its thread is ended after its caller has left, and replaced; that is logged`, () =>
      withCrew((crew) =>
        Effect.gen(function* () {
          lines.length = 0
          for (let nth = 1; nth <= 3; nth++) {
            const gate = new Gate()
            const call = yield* fork(crew.spin({ gate: gate.memory, later }))
            yield* until(() => gate.began === 1)
            yield* Fiber.interrupt(call)
            assert.strictEqual(yield* crew.greet(), "hello")
            assert.deepStrictEqual(HostPool.stats(crew), { waiting: 0, active: 0, threads: 1, lost: nth })
          }
          assert.lengthOf(lines, 3)
          const what = 'was lost: it did not return from "spin", which was interrupted more than 50 ms ago'
          assert.strictEqual(lines[0], `test/Crew#0 ${what} (exit code 1); it began "spin" last`)
        })
      )
    )

    it.live(`${when}: calls that it had not begun go to the replacement`, () =>
      withCrew(
        (crew) =>
          Effect.gen(function* () {
            const gate = new Gate()
            const call = yield* fork(crew.spin({ gate: gate.memory, later }))
            yield* until(() => gate.began === 1)
            const unbegun = yield* Effect.forEach([1, 2, 3], (id) => fork(crew.echo({ id })))
            const left = yield* fork(crew.hold({ gate: gate.memory }))
            yield* Fiber.interruptAll([call, left])
            for (const [i, fiber] of unbegun.entries())
              assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.succeed(i + 1))
            assert.strictEqual(gate.began, 1)
          }),
        { concurrency: 64 }
      )
    )
  }

  it.live("calls that it had not begun are in while it is being ended: who drains waits for them", () =>
    withCrew(
      (crew) =>
        Effect.gen(function* () {
          const gate = new Gate()
          const call = yield* fork(crew.spin({ gate: gate.memory, later: false }))
          yield* until(() => gate.began === 1)
          const unbegun = yield* fork(crew.echo({ id: 1 }))
          yield* Fiber.interrupt(call)
          yield* until(() => HostPool.stats(crew).threads === 0)
          yield* HostPool.drain(crew)
          assert.deepStrictEqual(unbegun.pollUnsafe(), Exit.succeed(Exit.succeed(1)))
        }),
      { concurrency: 64 }
    )
  )

  it.live("where it is begun: calls that others wait for, and that the thread had begun before, are lost", () =>
    withCrew(
      (crew) =>
        Effect.gen(function* () {
          const gate = new Gate()
          const held = yield* fork(crew.hold({ gate: gate.memory }))
          const call = yield* fork(crew.spin({ gate: gate.memory, later: false }))
          yield* until(() => gate.began === 2)
          yield* Fiber.interrupt(call)
          assert.isTrue(isLost(yield* Fiber.join(held)))
          assert.strictEqual(yield* crew.greet(), "hello")
        }),
      { concurrency: 64 }
    )
  )

  it.live("is stopped by an AbortSignal, for callers without Effect", () =>
    Effect.promise(async () => {
      await using crew = await NodeHostPool.open(Crew, { ...options, concurrency: 1, escalation: quick })
      const gate = new Gate()
      const controller = new AbortController()
      const spins = crew
        .spin({ gate: gate.memory, later: false }, { signal: controller.signal })
        .catch((error: unknown) => error)
      await Effect.runPromise(until(() => gate.began === 1))
      const reason = new Error("enough")
      controller.abort(reason)
      assert.strictEqual(await spins, reason)
      assert.strictEqual(await crew.greet(), "hello")
    })
  )

  it.live("goes on while its caller waits for it, whoever else leaves", () =>
    withCrew(
      (crew) =>
        Effect.gen(function* () {
          const gate = new Gate()
          // Waits on its thread's stack.
          const computing = yield* fork(crew.work({ gate: Option.some(gate.memory) }))
          const unbegun = yield* fork(crew.spin({ gate: new Gate().memory, later: false }))
          yield* until(() => gate.began === 1)
          yield* Fiber.interrupt(unbegun)
          yield* Effect.sleep(300)
          gate.open()
          assert.deepStrictEqual(yield* Fiber.join(computing), Exit.void)
          assert.strictEqual(HostPool.stats(crew).lost, 0)
          assert.strictEqual(yield* crew.greet(), "hello")
        }),
      { concurrency: 64 }
    )
  )

  it.live("keeps its thread where the application wants that", () =>
    withCrew(
      (crew) =>
        Effect.gen(function* () {
          const gate = new Gate()
          const computing = yield* fork(crew.work({ gate: Option.some(gate.memory) }))
          yield* until(() => gate.began === 1)
          yield* Fiber.interrupt(computing)
          yield* Effect.sleep(300)
          gate.open()
          assert.strictEqual(yield* crew.greet(), "hello")
          assert.strictEqual(HostPool.stats(crew).lost, 0)
        }),
      { escalation: { interrupted: Duration.infinity } }
    )
  )
})
