/** What every implementation of `Executor` keeps: run over each by handing its layer in. */

import { assert, describe, it } from "@effect/vitest"
import * as Executor from "@fiberhost/core/Executor"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Queue,
  Random,
  Result,
  Scheduler,
  Stream
} from "effect"
import { TestClock } from "effect/testing"

type Shape = Executor.Executor["Service"]
type MakeLayer = (options?: Executor.Options) => Layer.Layer<Executor.Executor>

/** Lets everything run that can run without time passing. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const idle: Executor.Stats = { active: 0, nested: 0, waiting: 0, suspended: 0 }

const assertIdle = (executor: Shape) => Effect.map(executor.stats, (stats) => assert.deepStrictEqual(stats, idle))

/** Everything is free again: `concurrency` tasks can be active at once. */
const assertFullConcurrency = (executor: Shape, concurrency: number) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const handles = yield* Effect.forEach(Array.from({ length: concurrency }), () =>
      executor.trySpawn(Deferred.await(gate))
    )
    assert.deepStrictEqual(yield* executor.stats, { ...idle, active: concurrency })
    yield* Deferred.succeed(gate, undefined)
    yield* Effect.forEach(handles, (handle) => handle.await)
    yield* assertIdle(executor)
  })

const reasonOf = <A, E, R>(effect: Effect.Effect<A, E | Executor.ExecutorError<unknown>, R>) =>
  Effect.map(Effect.flip(effect), (error) => (error instanceof Executor.ExecutorError ? error.reason._tag : error))

/** A task that is active until it is interrupted, and whose finalizer then takes until `release`. */
const slowToStop = Effect.gen(function* () {
  const release = yield* Deferred.make<void>()
  const started = yield* Deferred.make<void>()
  let finalized = false
  const task = Deferred.succeed(started, undefined).pipe(
    Effect.andThen(Effect.never),
    Effect.ensuring(
      Effect.andThen(
        Deferred.await(release),
        Effect.sync(() => (finalized = true))
      )
    )
  )
  return {
    task,
    started: Deferred.await(started),
    release: Deferred.succeed(release, undefined),
    isFinalized: () => finalized
  }
})

/**
 * Runs, finishes and interrupts tasks in a random order, and closes at a random time, beside a model: a set of active
 * tasks and one line, whose first `capacity` wait and whose others are suspended. They must agree after each step.
 */
const interleave = (executor: Shape, concurrency: number, capacity: number) =>
  Effect.gen(function* () {
    const active: Array<number> = []
    const line: Array<number> = []
    const expected: Array<string> = []
    const started: Array<number> = []
    const modelStarted: Array<number> = []
    const gates: Array<Deferred.Deferred<string>> = []
    const fibers: Array<Fiber.Fiber<string>> = []
    const start = (n: number) => {
      active.push(n)
      modelStarted.push(n)
    }
    const remove = (n: number) => {
      for (const list of [active, line]) if (list.includes(n)) list.splice(list.indexOf(n), 1)
      while (active.length < concurrency && line.length > 0) start(line.shift()!)
    }
    const steps = yield* Random.nextIntBetween(20, 200)
    for (let step = 0; step < steps; step++) {
      const dice = yield* Random.next
      const known = [...active, ...line]
      if (dice < 0.5 || known.length === 0) {
        const n = gates.length
        const gate = yield* Deferred.make<string>()
        gates.push(gate)
        const task = Effect.andThen(
          Effect.sync(() => started.push(n)),
          Deferred.await(gate)
        )
        const answer = Effect.catch(executor.run(task), (error) => Effect.succeed(error.reason._tag as string))
        fibers.push(yield* Effect.forkChild(answer, { startImmediately: true }))
        if (active.length < concurrency) start(n)
        else line.push(n)
      } else if (dice < 0.75) {
        const n = known[yield* Random.nextIntBetween(0, known.length - 1)]!
        yield* Fiber.interrupt(fibers[n]!)
        expected[n] = "Interrupted"
        remove(n)
      } else if (active.length > 0) {
        const n = active[yield* Random.nextIntBetween(0, active.length - 1)]!
        yield* Deferred.succeed(gates[n]!, `answer ${n}`)
        expected[n] = `answer ${n}`
        remove(n)
      }
      // Often the next step comes before the turns that this one granted were taken.
      if (yield* Random.nextBoolean) continue
      yield* settle
      // Turns are granted in order. One of several active tasks may take its turn a moment after one that came later.
      const order = (list: Array<number>) => (concurrency === 1 ? list : list.toSorted((a, b) => a - b))
      const modelOrder = modelStarted.filter((n) => started.includes(n) || expected[n] === undefined)
      assert.deepStrictEqual(order(started), order(modelOrder))
      assert.deepStrictEqual(yield* executor.stats, {
        active: active.length,
        nested: 0,
        waiting: Math.min(line.length, capacity),
        suspended: Math.max(line.length - capacity, 0)
      })
    }
    yield* settle
    for (const n of [...active, ...line]) expected[n] = "Closed"
    yield* executor.close
    const exits = yield* Effect.forEach(fibers, Fiber.await)
    const outcomes = exits.map((exit) => (Exit.isSuccess(exit) ? exit.value : "Interrupted"))
    assert.deepStrictEqual(outcomes, expected)
    assert.deepStrictEqual(yield* executor.stats, idle)
  })

export const executorSuite = (name: string, layer: MakeLayer): void => {
  const test = (title: string, options: Executor.Options, body: (executor: Shape) => Effect.Effect<void, unknown>) =>
    it.effect(title, () => Effect.provide(Effect.flatMap(Executor.Executor, body), layer(options)))

  describe(name, () => {
    describe("answers", () => {
      test("run_answers_with_the_success_of_the_task", {}, (executor) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* executor.run(Effect.succeed(1)), 1)
          assert.strictEqual(yield* executor.run(Effect.as(Effect.yieldNow, 2)), 2)
          yield* assertIdle(executor)
        })
      )

      test("failing_task_does_not_harm_others", { concurrency: 2 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const other = yield* executor.spawn(Effect.as(Deferred.await(gate), "other"))
          assert.strictEqual(yield* Effect.flip(executor.run(Effect.fail("failed"))), "failed")
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual(yield* other.await, "other")
          assert.strictEqual(yield* executor.run(Effect.succeed("next")), "next")
          yield* assertIdle(executor)
        })
      )

      test("dying_task_does_not_harm_others_and_its_defect_reaches_its_handle", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const dying = yield* executor.spawn(Effect.andThen(Effect.yieldNow, Effect.die("defect")))
          const next = yield* executor.spawn(Effect.succeed("next"))
          assert.deepStrictEqual(yield* Effect.exit(dying.await), Exit.die("defect"))
          assert.strictEqual(yield* next.await, "next")
          yield* assertIdle(executor)
        })
      )

      test("every_awaiter_gets_the_answer_and_later_ones_too", {}, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<number>()
          const handle = yield* executor.spawn(Deferred.await(gate))
          const awaiters = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(handle.await))
          yield* settle
          yield* Deferred.succeed(gate, 7)
          assert.deepStrictEqual(yield* Fiber.joinAll(awaiters), [7, 7, 7])
          assert.strictEqual(yield* handle.await, 7)
        })
      )

      test("poll_is_none_before_and_the_exit_after", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<number, string>()
          const active = yield* executor.spawn(Deferred.await(gate))
          const waiting = yield* executor.spawn(Effect.succeed(2))
          assert.deepStrictEqual(yield* active.poll, Option.none())
          assert.deepStrictEqual(yield* waiting.poll, Option.none())
          yield* Deferred.fail(gate, "no")
          assert.strictEqual(yield* waiting.await, 2)
          assert.deepStrictEqual(yield* active.poll, Option.some(Exit.fail("no")))
          assert.deepStrictEqual(yield* waiting.poll, Option.some(Exit.succeed(2)))
        })
      )

      test("task_uses_the_services_of_its_spawner", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const Name = Context.Service<{ readonly name: string }>("test/Name")
          const gate = yield* Deferred.make<void>()
          yield* executor.spawn(Deferred.await(gate))
          const handle = yield* Effect.provideService(executor.spawn(Effect.map(Name, (_) => _.name)), Name, {
            name: "ada"
          })
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual(yield* handle.await, "ada")
        })
      )

      test("task_outlives_its_spawner", {}, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<string>()
          const spawner = yield* Effect.forkChild(executor.spawn(Deferred.await(gate)))
          const handle = yield* Fiber.join(spawner)
          yield* settle
          yield* Deferred.succeed(gate, "alive")
          assert.strictEqual(yield* handle.await, "alive")
        })
      )

      test("task_may_sleep_while_it_is_active", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const first = yield* executor.spawn(Effect.as(Effect.sleep("1 minute"), 1))
          const second = yield* executor.spawn(Effect.succeed(2))
          yield* settle
          assert.deepStrictEqual(yield* second.poll, Option.none())
          yield* TestClock.adjust("1 minute")
          assert.strictEqual(yield* first.await, 1)
          assert.strictEqual(yield* second.await, 2)
        })
      )

      test("chain_of_tasks_that_start_tasks_does_not_overflow_the_stack", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const nested = (depth: number): Effect.Effect<number, Executor.ExecutorError> =>
            depth === 0
              ? Effect.succeed(0)
              : Effect.map(executor.run(Effect.suspend(() => nested(depth - 1))), (n) => n + 1)
          assert.strictEqual(yield* nested(2000), 2000)
          const done = yield* Deferred.make<void>()
          const successor = (left: number): Effect.Effect<unknown, unknown> =>
            left === 0 ? Deferred.succeed(done, undefined) : executor.spawn(Effect.suspend(() => successor(left - 1)))
          yield* executor.spawn(successor(5000))
          yield* Deferred.await(done)
          yield* executor.drain
          yield* assertIdle(executor)
        })
      )
    })

    describe("room", () => {
      test("tasks_start_in_the_order_they_came", { concurrency: 1, capacity: 3 }, (executor) =>
        Effect.gen(function* () {
          const order: Array<number> = []
          const task = (n: number) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => order.push(n))
            )
          // One active, three in line, six suspended for a place.
          const spawners = yield* Effect.forEach(
            Array.from({ length: 10 }, (_, n) => n),
            (n) => Effect.forkChild(executor.spawn(task(n)), { startImmediately: true })
          )
          assert.deepStrictEqual(yield* executor.stats, { active: 1, nested: 0, waiting: 3, suspended: 6 })
          const handles = yield* Fiber.joinAll(spawners)
          yield* Effect.forEach(handles, (handle) => handle.await)
          assert.deepStrictEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
          yield* assertIdle(executor)
        })
      )

      test("never_more_than_concurrency_tasks_are_active", { concurrency: 3, capacity: Infinity }, (executor) =>
        Effect.gen(function* () {
          let active = 0
          let most = 0
          const task = Effect.acquireUseRelease(
            Effect.sync(() => (most = Math.max(most, ++active))),
            () => Effect.sleep(10),
            () => Effect.sync(() => active--)
          )
          const handles = yield* Effect.forEach(Array.from({ length: 20 }), () => executor.spawn(task))
          assert.strictEqual(active, 3)
          yield* Effect.forEach(Array.from({ length: 7 }), () => Effect.andThen(TestClock.adjust(10), settle))
          yield* Effect.forEach(handles, (handle) => handle.await)
          assert.strictEqual(most, 3)
          yield* assertIdle(executor)
        })
      )

      test("try_spawn_without_room_hands_the_task_back", { concurrency: 1, capacity: 2 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const taken = yield* Effect.forEach([1, 2, 3], () => executor.trySpawn(Deferred.await(gate)))
          const task = Effect.succeed("handed back")
          const error = yield* Effect.flip(executor.trySpawn(task))
          assert.strictEqual(error.task, task)
          assert.strictEqual(error.reason._tag, "NoRoom")
          assert.deepInclude(error.reason, { capacity: 2, waiting: 2 })
          assert.include(error.message, "capacity")
          yield* Deferred.succeed(gate, undefined)
          yield* Effect.forEach(taken, (handle) => handle.await)
          assert.strictEqual(yield* executor.run(error.task), "handed back")
          yield* assertIdle(executor)
        })
      )

      test("capacity_zero_takes_only_what_can_start", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const active = yield* executor.trySpawn(Deferred.await(gate))
          assert.strictEqual(yield* reasonOf(executor.trySpawn(Effect.void)), "NoRoom")
          const spawner = yield* Effect.forkChild(executor.run(Effect.succeed(1)), { startImmediately: true })
          assert.deepStrictEqual(yield* executor.stats, { ...idle, active: 1, suspended: 1 })
          yield* Deferred.succeed(gate, undefined)
          yield* active.await
          assert.strictEqual(yield* Fiber.join(spawner), 1)
          yield* assertIdle(executor)
        })
      )

      test("spawn_suspends_the_caller_until_there_is_a_place", { concurrency: 1, capacity: 1 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const gate2 = yield* Deferred.make<void>()
          const first = yield* executor.spawn(Deferred.await(gate))
          yield* executor.spawn(Deferred.await(gate2))
          const spawner = yield* Effect.forkChild(executor.spawn(Effect.succeed(3)), { startImmediately: true })
          yield* settle
          assert.isUndefined(spawner.pollUnsafe())
          yield* Deferred.succeed(gate, undefined)
          yield* first.await
          // The caller resumes with a place in line, before its task is active.
          const third = yield* Fiber.join(spawner)
          assert.deepStrictEqual(yield* executor.stats, { ...idle, active: 1, waiting: 1 })
          yield* Deferred.succeed(gate2, undefined)
          assert.strictEqual(yield* third.await, 3)
        })
      )

      test("ten_thousand_tasks_at_once_each_get_their_own_answer", { concurrency: 64 }, (executor) =>
        Effect.gen(function* () {
          const answers = yield* Effect.forEach(
            Array.from({ length: 10_000 }, (_, n) => n),
            (n) => executor.run(n % 3 === 0 ? Effect.succeed(n) : Effect.as(Effect.yieldNow, n)),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            answers,
            Array.from({ length: 10_000 }, (_, n) => n)
          )
          yield* assertIdle(executor)
        })
      )
    })

    describe("interruption", () => {
      test("interrupted_while_suspended_leaves_nothing", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          let ran = false
          const gate = yield* Deferred.make<void>()
          const active = yield* executor.spawn(Deferred.await(gate))
          const task = Effect.sync(() => (ran = true))
          const spawner = yield* Effect.forkChild(executor.spawn(task), { startImmediately: true })
          const runner = yield* Effect.forkChild(executor.run(task), { startImmediately: true })
          const last = yield* Effect.forkChild(executor.run(Effect.succeed("last")), { startImmediately: true })
          yield* Fiber.interrupt(spawner)
          yield* Fiber.interrupt(runner)
          assert.deepStrictEqual(yield* executor.stats, { ...idle, active: 1, suspended: 1 })
          yield* Deferred.succeed(gate, undefined)
          yield* active.await
          assert.strictEqual(yield* Fiber.join(last), "last")
          assert.isFalse(ran)
          yield* assertFullConcurrency(executor, 1)
        })
      )

      test("interrupted_while_its_turn_is_on_the_way_passes_the_turn_on", { concurrency: 1, capacity: 1 }, (executor) =>
        Effect.gen(function* () {
          let ran = false
          const active = yield* executor.spawn(Effect.never)
          const waiting = yield* executor.spawn(Effect.sync(() => (ran = true)))
          const spawner = yield* Effect.forkChild(executor.spawn(Effect.sync(() => (ran = true))), {
            startImmediately: true
          })
          const last = yield* Effect.forkChild(executor.run(Effect.succeed("last")), { startImmediately: true })
          // The turn of `waiting` and the place of `spawner` are granted here, and not taken yet when they leave.
          yield* active.interrupt
          yield* waiting.interrupt
          yield* Fiber.interrupt(spawner)
          assert.strictEqual(yield* Fiber.join(last), "last")
          assert.isFalse(ran)
          yield* assertFullConcurrency(executor, 1)
        })
      )

      test("interrupted_in_line_never_runs_and_frees_its_place", { concurrency: 1, capacity: 1 }, (executor) =>
        Effect.gen(function* () {
          let ran = false
          const gate = yield* Deferred.make<void>()
          yield* executor.spawn(Deferred.await(gate))
          const waiting = yield* executor.spawn(Effect.sync(() => (ran = true)))
          assert.strictEqual(yield* reasonOf(executor.trySpawn(Effect.void)), "NoRoom")
          yield* waiting.interrupt
          assert.strictEqual(yield* reasonOf(waiting.await), "Interrupted")
          const next = yield* executor.trySpawn(Effect.succeed("next"))
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual(yield* next.await, "next")
          assert.isFalse(ran)
          yield* assertFullConcurrency(executor, 1)
        })
      )

      test("interrupt_of_an_active_task_waits_for_its_finalizers", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const slow = yield* slowToStop
          const handle = yield* executor.spawn(slow.task)
          const next = yield* executor.spawn(Effect.succeed("next"))
          yield* slow.started
          const interrupting = yield* Effect.forkChild(handle.interrupt)
          yield* settle
          assert.isUndefined(interrupting.pollUnsafe())
          assert.deepStrictEqual(yield* executor.stats, { ...idle, active: 1, waiting: 1 })
          yield* slow.release
          yield* Fiber.join(interrupting)
          assert.isTrue(slow.isFinalized())
          assert.strictEqual(yield* reasonOf(handle.await), "Interrupted")
          assert.strictEqual(yield* next.await, "next")
          yield* assertFullConcurrency(executor, 1)
        })
      )

      test("interrupted_task_answers_typed_and_does_not_interrupt_its_awaiter", {}, (executor) =>
        Effect.gen(function* () {
          const handle = yield* executor.spawn(Effect.never)
          const awaiter = yield* Effect.forkChild(Effect.exit(handle.await), { startImmediately: true })
          yield* handle.interrupt
          const exit = yield* Fiber.join(awaiter)
          assert.isTrue(Exit.isFailure(exit) && !Cause.hasInterrupts(exit.cause))
          assert.strictEqual(yield* reasonOf(executor.run(Effect.interrupt)), "Interrupted")
        })
      )

      test("defect_of_a_finalizer_is_kept_beside_the_interruption", {}, (executor) =>
        Effect.gen(function* () {
          const handle = yield* executor.spawn(Effect.ensuring(Effect.never, Effect.die("finalizer")))
          yield* handle.interrupt
          const exit = yield* Effect.exit(handle.await)
          assert.isTrue(Exit.isFailure(exit))
          if (Exit.isSuccess(exit)) return
          assert.deepStrictEqual(Cause.findDefect(exit.cause), Result.succeed("finalizer"))
          assert.isFalse(Cause.hasInterrupts(exit.cause))
        })
      )

      test("uninterruptible_task_is_waited_for", {}, (executor) =>
        Effect.gen(function* () {
          let finished = false
          const gate = yield* Deferred.make<void>()
          const handle = yield* executor.spawn(
            Effect.uninterruptible(
              Effect.andThen(
                Deferred.await(gate),
                Effect.sync(() => (finished = true))
              )
            )
          )
          const interrupting = yield* Effect.forkChild(handle.interrupt, { startImmediately: true })
          yield* settle
          assert.isUndefined(interrupting.pollUnsafe())
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(interrupting)
          assert.isTrue(finished)
          yield* assertIdle(executor)
        })
      )

      test("interrupt_after_the_end_does_nothing", {}, (executor) =>
        Effect.gen(function* () {
          const handle = yield* executor.spawn(Effect.succeed(1))
          yield* handle.interrupt
          yield* handle.interrupt
          assert.strictEqual(yield* handle.await, 1)
          yield* assertIdle(executor)
        })
      )

      test("interrupting_an_awaiter_leaves_the_task_alone", {}, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<number>()
          const handle = yield* executor.spawn(Deferred.await(gate))
          const awaiter = yield* Effect.forkChild(handle.await, { startImmediately: true })
          yield* Fiber.interrupt(awaiter)
          yield* Deferred.succeed(gate, 1)
          assert.strictEqual(yield* handle.await, 1)
        })
      )

      test("interrupting_run_interrupts_the_task_and_waits_for_its_finalizers", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const slow = yield* slowToStop
          const running = yield* Effect.forkChild(executor.run(slow.task), { startImmediately: true })
          const waiting = yield* Effect.forkChild(executor.run(Effect.die("never runs")), { startImmediately: true })
          yield* slow.started
          yield* Fiber.interrupt(waiting)
          const interrupting = yield* Effect.forkChild(Fiber.interrupt(running))
          yield* settle
          assert.isUndefined(interrupting.pollUnsafe())
          yield* slow.release
          yield* Fiber.join(interrupting)
          assert.isTrue(slow.isFinalized())
          yield* assertFullConcurrency(executor, 1)
        })
      )

      test("run_interrupted_at_any_step_loses_nothing", { concurrency: 1, capacity: 1 }, (executor) =>
        Effect.gen(function* () {
          // A fiber that yields at every third or fourth step can be interrupted almost everywhere.
          for (let steps = 0; steps < 60; steps++) {
            const gate = yield* Deferred.make<void>()
            yield* executor.spawn(Deferred.await(gate))
            const fibers = yield* Effect.forEach([1, 2, 3], () =>
              Effect.forkChild(
                Effect.provideService(executor.run(Effect.yieldNow), Scheduler.MaxOpsBeforeYield, 3 + (steps % 2))
              )
            )
            for (let n = 0; n < steps; n++) {
              if (n === steps >> 1) yield* Deferred.succeed(gate, undefined)
              yield* Effect.yieldNow
            }
            yield* Deferred.succeed(gate, undefined)
            yield* Effect.forEach(fibers, Fiber.interrupt, { concurrency: "unbounded" })
            yield* settle
            yield* assertIdle(executor)
          }
        })
      )

      test("task_may_interrupt_itself_by_its_handle", {}, (executor) =>
        Effect.gen(function* () {
          const self = yield* Deferred.make<Effect.Effect<void>>()
          const handle = yield* executor.spawn(
            Effect.andThen(Deferred.await(self), Effect.flatten(Deferred.await(self)))
          )
          yield* Deferred.succeed(self, handle.interrupt)
          assert.strictEqual(yield* reasonOf(handle.await), "Interrupted")
          yield* assertIdle(executor)
        })
      )
    })

    describe("nesting", () => {
      test("nested_run_does_not_deadlock", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          const twoLevels = executor.run(executor.run(executor.run(Effect.as(Effect.yieldNow, 3))))
          assert.strictEqual(yield* twoLevels, 3)
          yield* assertIdle(executor)
        })
      )

      test("nested_run_from_a_forked_child_does_not_deadlock", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          const task = Effect.flatMap(Effect.forkChild(executor.run(Effect.as(Effect.yieldNow, 1))), Fiber.join)
          assert.strictEqual(yield* executor.run(task), 1)
          yield* assertIdle(executor)
        })
      )

      test("nested_task_counts_beside_the_active_ones", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const handle = yield* executor.spawn(executor.run(Deferred.await(gate)))
          assert.deepStrictEqual(yield* executor.stats, { ...idle, active: 1, nested: 1 })
          assert.strictEqual(yield* reasonOf(executor.trySpawn(Effect.void)), "NoRoom")
          yield* Deferred.succeed(gate, undefined)
          yield* handle.await
          yield* assertFullConcurrency(executor, 1)
        })
      )

      it.effect("nesting_is_known_through_a_task_of_another_executor", () =>
        Effect.gen(function* () {
          const one = yield* Effect.map(
            Layer.build(Layer.fresh(layer({ concurrency: 1, capacity: 0 }))),
            Context.get(Executor.Executor)
          )
          const two = yield* Effect.map(
            Layer.build(Layer.fresh(layer({ concurrency: 1, capacity: 0 }))),
            Context.get(Executor.Executor)
          )
          assert.strictEqual(yield* one.run(two.run(one.run(two.run(Effect.as(Effect.yieldNow, 1))))), 1)
          yield* assertIdle(one)
          yield* assertIdle(two)
        })
      )

      test("fiber_that_outlived_its_task_is_not_nested", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          const ended = yield* Deferred.make<void>()
          const detached = yield* executor.run(
            Effect.forkDetach(Effect.andThen(Deferred.await(ended), Effect.exit(executor.trySpawn(Effect.void))))
          )
          const busy = yield* executor.spawn(Effect.never)
          yield* Deferred.succeed(ended, undefined)
          assert.strictEqual(yield* reasonOf(Effect.flatten(Fiber.join(detached))), "NoRoom")
          yield* busy.interrupt
          yield* assertIdle(executor)
        })
      )
    })

    describe("drain", () => {
      test("drain_lets_the_waiting_ones_in_and_refuses_new_ones", { concurrency: 1, capacity: 1 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const active = yield* executor.spawn(Effect.as(Deferred.await(gate), "active"))
          const waiting = yield* executor.spawn(Effect.as(Effect.yieldNow, "waiting"))
          const suspended = yield* Effect.forkChild(executor.spawn(Effect.succeed("suspended")), {
            startImmediately: true
          })
          const suspendedRun = yield* Effect.forkChild(executor.run(Effect.succeed("suspended")), {
            startImmediately: true
          })
          const draining = yield* Effect.forkChild(executor.drain, { startImmediately: true })
          assert.strictEqual(yield* reasonOf(Fiber.join(suspended)), "Closed")
          assert.strictEqual(yield* reasonOf(Fiber.join(suspendedRun)), "Closed")
          const task = Effect.succeed("new")
          const error = yield* Effect.flip(executor.trySpawn(task))
          assert.strictEqual(error.reason._tag, "Closed")
          assert.strictEqual(error.task, task)
          assert.strictEqual((yield* Effect.flip(executor.spawn(task))).task, task)
          assert.strictEqual(yield* reasonOf(executor.run(task)), "Closed")
          yield* settle
          assert.isUndefined(draining.pollUnsafe())
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(draining)
          assert.deepStrictEqual(yield* active.poll, Option.some(Exit.succeed("active")))
          assert.deepStrictEqual(yield* waiting.poll, Option.some(Exit.succeed("waiting")))
          yield* executor.drain
          assert.strictEqual(yield* reasonOf(executor.trySpawn(task)), "Closed")
        })
      )

      test("nested_task_is_admitted_while_draining", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const handle = yield* executor.spawn(
            Effect.andThen(Deferred.await(gate), executor.run(Effect.succeed("nested")))
          )
          const draining = yield* Effect.forkChild(executor.drain, { startImmediately: true })
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual(yield* handle.await, "nested")
          yield* Fiber.join(draining)
        })
      )

      test("drain_waits_for_a_nested_task_that_outlives_its_parent", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<string>()
          const child = yield* executor.run(executor.spawn(Deferred.await(gate)))
          const draining = yield* Effect.forkChild(executor.drain, { startImmediately: true })
          yield* settle
          assert.isUndefined(draining.pollUnsafe())
          yield* Deferred.succeed(gate, "child")
          yield* Fiber.join(draining)
          assert.deepStrictEqual(yield* child.poll, Option.some(Exit.succeed("child")))
        })
      )

      test("drain_completes_when_the_last_task_is_interrupted", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const active = yield* executor.spawn(Effect.never)
          const waiting = yield* executor.spawn(Effect.never)
          const draining = yield* Effect.forkChild(executor.drain, { startImmediately: true })
          yield* waiting.interrupt
          yield* active.interrupt
          yield* Fiber.join(draining)
        })
      )

      test("drain_from_a_task_of_its_own_does_not_wait_for_itself", {}, (executor) =>
        Effect.gen(function* () {
          yield* executor.run(executor.drain)
          assert.strictEqual(yield* reasonOf(executor.run(Effect.void)), "Closed")
        })
      )
    })

    describe("close", () => {
      test("close_settles_all_that_is_awaited_or_waits", { concurrency: 1, capacity: 1 }, (executor) =>
        Effect.gen(function* () {
          let ran = false
          const active = yield* executor.spawn(Effect.never)
          const waiting = yield* executor.spawn(Effect.sync(() => (ran = true)))
          const awaiters = yield* Effect.forEach(
            [active.await, waiting.await, executor.run(Effect.sync(() => (ran = true)))],
            (effect) => Effect.forkChild(reasonOf(effect), { startImmediately: true })
          )
          const task = Effect.sync(() => (ran = true))
          const suspended = yield* Effect.forkChild(Effect.flip(executor.spawn(task)), { startImmediately: true })
          yield* executor.close
          assert.deepStrictEqual(yield* Fiber.joinAll(awaiters), ["Closed", "Closed", "Closed"])
          const error = yield* Fiber.join(suspended)
          assert.strictEqual(error.reason._tag, "Closed")
          assert.strictEqual(error.task, task)
          assert.isFalse(ran)
          assert.strictEqual(yield* reasonOf(executor.trySpawn(task)), "Closed")
          yield* executor.close
          yield* executor.drain
          yield* assertIdle(executor)
        })
      )

      test("close_waits_for_finalizers", { concurrency: 2 }, (executor) =>
        Effect.gen(function* () {
          const slow = yield* slowToStop
          const handle = yield* executor.spawn(slow.task)
          yield* slow.started
          const closing = yield* Effect.forkChild(executor.close, { startImmediately: true })
          yield* settle
          assert.isUndefined(closing.pollUnsafe())
          assert.deepStrictEqual(yield* handle.poll, Option.none())
          yield* slow.release
          yield* Fiber.join(closing)
          assert.isTrue(slow.isFinalized())
          assert.strictEqual(yield* reasonOf(handle.await), "Closed")
        })
      )

      test("close_ends_a_drain_that_would_not_end", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const active = yield* executor.spawn(Effect.never)
          const waiting = yield* executor.spawn(Effect.void)
          const draining = yield* Effect.forkChild(executor.drain, { startImmediately: true })
          yield* executor.close
          yield* Fiber.join(draining)
          assert.strictEqual(yield* reasonOf(active.await), "Closed")
          assert.strictEqual(yield* reasonOf(waiting.await), "Closed")
        })
      )

      test("nested_task_is_refused_after_close", {}, (executor) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          let reason: unknown = undefined
          const nested = Effect.map(reasonOf(executor.run(Effect.void)), (_) => (reason = _))
          yield* executor.spawn(Effect.uninterruptible(Effect.andThen(Deferred.await(gate), nested)))
          const closing = yield* Effect.forkChild(executor.close, { startImmediately: true })
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(closing)
          assert.strictEqual(reason, "Closed")
        })
      )

      test("task_may_close_its_executor", {}, (executor) =>
        Effect.gen(function* () {
          const other = yield* executor.spawn(Effect.never)
          const handle = yield* executor.spawn(Effect.andThen(executor.close, Effect.never))
          assert.strictEqual(yield* reasonOf(handle.await), "Closed")
          assert.strictEqual(yield* reasonOf(other.await), "Closed")
          yield* assertIdle(executor)
        })
      )

      it.effect("closing_the_scope_of_the_layer_closes_the_executor", () =>
        Effect.gen(function* () {
          const slow = yield* slowToStop
          yield* slow.release
          const handle = yield* Effect.provide(
            Effect.gen(function* () {
              const executor = yield* Executor.Executor
              const handle = yield* executor.spawn(slow.task)
              yield* slow.started
              return handle
            }),
            layer()
          )
          assert.isTrue(slow.isFinalized())
          assert.strictEqual(yield* reasonOf(handle.await), "Closed")
        })
      )
    })

    describe("streams", () => {
      test("stream_replies_in_order_and_then_ends", {}, (executor) =>
        Effect.gen(function* () {
          const handle = yield* executor.spawnStream(Stream.range(1, 100), { bufferSize: 4 })
          assert.deepStrictEqual(
            yield* Queue.collect(handle.replies),
            Array.from({ length: 100 }, (_, n) => n + 1)
          )
          yield* assertIdle(executor)
        })
      )

      test("full_buffer_suspends_the_task", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          let produced = 0
          const source = Stream.fromEffectRepeat(Effect.sync(() => ++produced))
          const handle = yield* executor.spawnStream(source, { bufferSize: 2 })
          yield* settle
          // Two in the buffer and one in the hand of the suspended task.
          assert.strictEqual(produced, 3)
          assert.strictEqual(yield* Queue.take(handle.replies), 1)
          yield* settle
          assert.strictEqual(produced, 4)
          yield* handle.interrupt
          yield* assertFullConcurrency(executor, 1)
        })
      )

      test("failure_of_a_stream_comes_after_its_replies", {}, (executor) =>
        Effect.gen(function* () {
          const handle = yield* executor.spawnStream(Stream.concat(Stream.make(1, 2), Stream.fail("broken")))
          assert.strictEqual(yield* Queue.take(handle.replies), 1)
          assert.strictEqual(yield* Queue.take(handle.replies), 2)
          assert.strictEqual(yield* Effect.flip(Queue.take(handle.replies)), "broken")
          yield* assertIdle(executor)
        })
      )

      test("interrupted_stream_fails_typed_after_its_replies", {}, (executor) =>
        Effect.gen(function* () {
          let finalized = false
          const source = Stream.ensuring(
            Stream.concat(Stream.make(1), Stream.never),
            Effect.sync(() => (finalized = true))
          )
          const handle = yield* executor.spawnStream(source)
          yield* settle
          yield* handle.interrupt
          assert.isTrue(finalized)
          assert.strictEqual(yield* Queue.take(handle.replies), 1)
          assert.strictEqual(yield* reasonOf(Queue.take(handle.replies)), "Interrupted")
          yield* assertIdle(executor)
        })
      )

      test("closed_stream_fails_typed_for_a_reader_who_waits", { concurrency: 1 }, (executor) =>
        Effect.gen(function* () {
          const active = yield* executor.spawnStream(Stream.never)
          const waiting = yield* executor.spawnStream(Stream.make(1))
          const readers = yield* Effect.forEach([active.replies, waiting.replies], (replies) =>
            Effect.forkChild(reasonOf(Queue.take(replies)), { startImmediately: true })
          )
          yield* executor.close
          assert.deepStrictEqual(yield* Fiber.joinAll(readers), ["Closed", "Closed"])
        })
      )

      test("try_spawn_stream_without_room_hands_the_stream_back", { concurrency: 1, capacity: 0 }, (executor) =>
        Effect.gen(function* () {
          const busy = yield* executor.spawn(Effect.never)
          const stream = Stream.make(1)
          const error = yield* Effect.flip(executor.trySpawnStream(stream))
          assert.strictEqual(error.reason._tag, "NoRoom")
          assert.strictEqual(error.task, stream)
          yield* busy.interrupt
        })
      )
    })

    describe("any interleaving", () => {
      for (const [concurrency, capacity] of [
        [1, 0],
        [1, 3],
        [3, 2]
      ] as const) {
        for (let seed = 0; seed < 10; seed++) {
          test(
            `each_task_settles_as_the_model_says (concurrency ${concurrency}, capacity ${capacity}, seed ${seed})`,
            { concurrency, capacity },
            (executor) => Random.withSeed(interleave(executor, concurrency, capacity), seed)
          )
        }
      }
    })
  })
}
