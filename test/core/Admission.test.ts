import { assert, describe, it } from "@effect/vitest"
import * as Admission from "@fiberhost/core/Admission"
import { Context, Deferred, Effect, Fiber, Scheduler } from "effect"

const outside = Context.empty()
const idle: Admission.Stats = { active: 0, nested: 0, waiting: 0, suspended: 0 }
const settle = Effect.forEach(Array.from({ length: 10 }), () => Effect.yieldNow, { discard: true })

const entered = (entry: Admission.Permit | Admission.Refusal): Admission.Permit => {
  if (typeof entry === "string") throw new Error(`refused: ${entry}`)
  return entry
}

/** Counts how often the permit's state is looked at. */
const watched = (permit: Admission.Permit): { count: number } => {
  const looks = { count: 0 }
  let { state } = permit
  const get = () => {
    looks.count++
    return state
  }
  const set = (next: Admission.PermitState) => {
    state = next
  }
  Object.defineProperty(permit, "state", { get, set })
  return looks
}

describe("Admission", () => {
  it("numbers_that_are_no_counts_are_refused", () => {
    assert.throws(() => Admission.make({ concurrency: 0 }), "concurrency is 0")
    assert.throws(() => Admission.make({ concurrency: NaN }), RangeError)
    assert.throws(() => Admission.make({ capacity: -1 }), "capacity is -1")
    assert.throws(() => Admission.make({ capacity: 0.5 }), RangeError)
    const admission = Admission.make()
    assert.deepStrictEqual([admission.concurrency, admission.capacity], [Infinity, 100])
    assert.strictEqual(Admission.make({ capacity: 0 }).capacity, 0)
  })

  it("try_enter_is_active_then_waits_then_is_refused", () => {
    const admission = Admission.make({ concurrency: 2, capacity: 1 })
    const first = entered(admission.tryEnter(outside))
    const second = entered(admission.tryEnter(outside))
    const third = entered(admission.tryEnter(outside))
    assert.deepStrictEqual([first.state, second.state, third.state], ["Active", "Active", "Waiting"])
    assert.strictEqual(admission.tryEnter(outside), "NoRoom")
    assert.deepStrictEqual(admission.stats, { active: 2, nested: 0, waiting: 1, suspended: 0 })
    second.leave()
    assert.strictEqual(third.state, "Active")
    assert.strictEqual(entered(admission.tryEnter(outside)).state, "Waiting")
  })

  it("request_suspends_instead_of_being_refused_for_want_of_room", () => {
    const admission = Admission.make({ concurrency: 1, capacity: 1 })
    const [active, waiting, suspended, last] = [1, 2, 3, 4].map(() => entered(admission.request(outside)))
    assert.deepStrictEqual(
      [active!.state, waiting!.state, suspended!.state, last!.state],
      ["Active", "Waiting", "Suspended", "Suspended"]
    )
    active!.leave()
    assert.deepStrictEqual([waiting!.state, suspended!.state, last!.state], ["Active", "Waiting", "Suspended"])
    suspended!.leave()
    assert.strictEqual(last!.state, "Waiting")
    waiting!.leave()
    assert.strictEqual(last!.state, "Active")
    last!.leave()
    assert.deepStrictEqual(admission.stats, idle)
  })

  it("leaving_twice_gives_back_once", () => {
    const admission = Admission.make({ concurrency: 1, capacity: 2 })
    const first = entered(admission.tryEnter(outside))
    const second = entered(admission.tryEnter(outside))
    entered(admission.tryEnter(outside))
    first.leave()
    first.leave()
    assert.strictEqual(second.state, "Active")
    assert.deepStrictEqual(admission.stats, { active: 1, nested: 0, waiting: 1, suspended: 0 })
  })

  it("close_refuses_those_who_wait_and_not_the_active", () => {
    const admission = Admission.make({ concurrency: 1, capacity: 1 })
    const [active, waiting, suspended] = [1, 2, 3].map(() => entered(admission.request(outside)))
    admission.close()
    admission.close()
    assert.deepStrictEqual([active!.state, waiting!.state, suspended!.state], ["Active", "Refused", "Refused"])
    assert.strictEqual(admission.tryEnter(outside), "Closed")
    waiting!.leave()
    suspended!.leave()
    assert.deepStrictEqual(admission.stats, { ...idle, active: 1 })
    active!.leave()
    assert.deepStrictEqual(admission.stats, idle)
  })

  it.effect("changes_are_told_by_the_scheduler_and_never_by_the_leaver", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1 })
      const first = entered(admission.tryEnter(outside))
      const second = entered(admission.tryEnter(outside))
      let told = 0
      second.onChange = () => told++
      first.leave()
      assert.strictEqual(told, 0)
      yield* settle
      assert.strictEqual(told, 1)
    })
  )

  it.effect("enter_waits_for_its_turn_first_come_first_served", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 2 })
      const order: Array<number> = []
      const fibers = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (n) =>
        Effect.forkChild(
          admission.use(
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => order.push(n))
            )
          ),
          {
            startImmediately: true
          }
        )
      )
      assert.deepStrictEqual(admission.stats, { active: 1, nested: 0, waiting: 2, suspended: 3 })
      yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4, 5])
      assert.deepStrictEqual(admission.stats, idle)
    })
  )

  it.effect("use_gives_back_on_success_failure_defect_and_interruption", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 0 })
      assert.strictEqual(yield* admission.use(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(admission.use(Effect.fail("no"))), "no")
      yield* Effect.exit(admission.use(Effect.die("defect")))
      const fiber = yield* Effect.forkChild(admission.use(Effect.never), { startImmediately: true })
      assert.strictEqual(admission.stats.active, 1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(admission.stats, idle)
    })
  )

  it.effect("interrupted_while_waiting_suspended_or_just_let_in_loses_nothing", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 1 })
      const active = entered(admission.tryEnter(outside))
      const [waiting, suspended, last] = yield* Effect.forEach(["waiting", "suspended", "last"], (name) =>
        Effect.forkChild(admission.use(Effect.succeed(name)), { startImmediately: true })
      )
      yield* Fiber.interrupt(suspended!)
      assert.deepStrictEqual(admission.stats, { active: 1, nested: 0, waiting: 1, suspended: 1 })
      // `waiting` holds the permit here and does not know it yet.
      active.leave()
      yield* Fiber.interrupt(waiting!)
      assert.strictEqual(yield* Fiber.join(last!), "last")
      assert.deepStrictEqual(admission.stats, idle)
    })
  )

  it.effect("interrupted_at_any_step_of_entering_loses_nothing", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 1 })
      // A fiber that yields at every third or fourth step can be interrupted almost everywhere.
      for (let steps = 0; steps < 60; steps++) {
        const active = entered(admission.tryEnter(outside))
        const fibers = yield* Effect.forEach([1, 2, 3], () =>
          Effect.forkChild(
            Effect.provideService(admission.use(Effect.yieldNow), Scheduler.MaxOpsBeforeYield, 3 + (steps % 2))
          )
        )
        for (let n = 0; n < steps; n++) {
          if (n === steps >> 1) active.leave()
          yield* Effect.yieldNow
        }
        active.leave()
        yield* Effect.forEach(fibers, Fiber.interrupt, { concurrency: "unbounded" })
        yield* settle
        assert.deepStrictEqual(admission.stats, idle)
      }
    })
  )

  it.effect("closed_while_waiting_fails_typed", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 1 })
      const active = entered(admission.tryEnter(outside))
      const fibers = yield* Effect.forEach([1, 2], () =>
        Effect.forkChild(Effect.flip(admission.use(Effect.void)), { startImmediately: true })
      )
      admission.close()
      for (const error of yield* Fiber.joinAll(fibers)) assert.instanceOf(error, Admission.Closed)
      assert.instanceOf(yield* Effect.flip(admission.use(Effect.void)), Admission.Closed)
      active.leave()
      assert.deepStrictEqual(admission.stats, idle)
    })
  )

  it.effect("drain_lets_the_waiting_in_and_ends_when_none_is_left", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 1 })
      const [active, waiting, suspended] = [1, 2, 3].map(() => entered(admission.request(outside)))
      const draining = yield* Effect.forkChild(admission.drain, { startImmediately: true })
      const draining2 = yield* Effect.forkChild(admission.drain, { startImmediately: true })
      assert.strictEqual(suspended!.state, "Refused")
      assert.strictEqual(admission.tryEnter(outside), "Closed")
      active!.leave()
      yield* settle
      assert.isUndefined(draining.pollUnsafe())
      assert.strictEqual(waiting!.state, "Active")
      waiting!.leave()
      yield* Fiber.joinAll([draining, draining2])
      yield* admission.drain
    })
  )

  it.effect("nested_entry_is_admitted_at_once_also_while_draining", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 0 })
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        admission.use(Effect.andThen(Deferred.await(gate), admission.use(Effect.sync(() => admission.stats)))),
        { startImmediately: true }
      )
      const draining = yield* Effect.forkChild(admission.drain, { startImmediately: true })
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { ...idle, active: 1, nested: 1 })
      yield* Fiber.join(draining)
    })
  )

  it("permit_that_was_given_back_admits_nobody", () => {
    const admission = Admission.make({ concurrency: 1, capacity: 0 })
    const first = entered(admission.tryEnter(outside))
    const inside = Admission.provide(outside, first)
    const nested = entered(admission.tryEnter(inside))
    assert.strictEqual(nested.state, "Active")
    first.leave()
    const next = entered(admission.tryEnter(inside))
    assert.deepStrictEqual(admission.stats, { ...idle, active: 1, nested: 1 })
    assert.strictEqual(admission.tryEnter(inside), "NoRoom")
    // The nested one is still active, and what runs under it still belongs to an active task.
    assert.strictEqual(entered(admission.tryEnter(Admission.provide(inside, nested))).state, "Active")
    next.leave()
  })

  it("nested_entry_looks_no_further_than_the_innermost_task_of_its_own", () => {
    const admission = Admission.make()
    const tasks = [entered(admission.tryEnter(outside))]
    const looks = tasks.map(watched)
    for (let depth = 0; depth < 10; depth++) {
      tasks.push(entered(admission.tryEnter(Admission.provide(outside, tasks.at(-1)!))))
    }
    assert.isBelow(looks[0]!.count, 4)
    assert.strictEqual(admission.stats.nested, 10)
  })

  it("tasks_that_overlap_their_successors_are_not_kept_when_they_have_ended", () => {
    const [admission, other] = [Admission.make(), Admission.make()]
    const tasks = [entered(admission.tryEnter(outside))]
    for (let i = 0; i < 100; i++) {
      tasks.push(entered(admission.tryEnter(Admission.provide(outside, tasks.at(-1)!))))
      if (i > 2) tasks.at(-4)!.leave()
    }
    const looks = tasks.map(watched)
    // Nothing around it is a task of the other, so it looks at all that there is.
    other.tryEnter(Admission.provide(outside, tasks.at(-1)!))
    assert.isBelow(looks.filter(({ count }) => count > 0).length, 6)
  })

  it.effect("forked_fibers_inherit_the_permit_and_others_do_not", () =>
    Effect.gen(function* () {
      const admission = Admission.make({ concurrency: 1, capacity: 0 })
      assert.isUndefined(yield* Admission.Current)
      yield* admission.use(
        Effect.gen(function* () {
          const permit = yield* Admission.Current
          assert.strictEqual(permit?.state, "Active")
          assert.strictEqual(yield* Fiber.join(yield* Effect.forkChild(Effect.service(Admission.Current))), permit)
        })
      )
      assert.isUndefined(yield* Admission.Current)
    })
  )
})
