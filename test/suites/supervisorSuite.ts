import { assert, layer } from "@effect/vitest"
import { Abi, GuestCall, GuestExecutor, Plugin, Supervisor } from "@fiberhost/wasm-host"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Schedule, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Conformance, ConformanceImports, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { HostError } from "../fixtures/conformanceTypes.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { heldLoads } from "../fixtures/heldLoads.ts"
import { reasonOf } from "../fixtures/reasonOf.ts"
import type { Topology } from "../fixtures/topologies.ts"

/** A part of the conformance plugin's contract, in which one function may be called twice. */
class Retried extends Plugin.Service<Retried>()("retried/Guest", {
  imports: ConformanceImports,
  exports: [
    Rpc.make("via_host_try", { payload: { id: Abi.U32 }, success: Abi.U32, error: HostError }).annotate(
      Abi.Idempotent,
      true
    ),
    Rpc.make("join", { payload: { count: Abi.U32 }, success: Schema.Array(Abi.U32) }),
    Abi.sync("panic_sync", { payload: { message: Schema.String, logged: Schema.Boolean } })
  ]
}) {}

/** Time goes on until the calls are answered: a supervisor begins to wait some turns after it was told why. */
const untilSettled = (calls: ReadonlyArray<Fiber.Fiber<unknown, unknown>>) =>
  Effect.repeat(Effect.andThen(TestClock.adjust("10 seconds"), turn), {
    until: () => calls.every((call) => call.pollUnsafe() !== undefined)
  })

/** Guests that die and wear out, and what takes their place. */
export const supervisorSuite = ({ conformance, executor, name, synchronousTwins }: Topology) =>
  layer(Layer.merge(executor(), conformance))(`a supervised guest ${name}`, (it) => {
    type Options = Pick<Plugin.MakeOptions<(typeof Conformance.exports)[number]>, "onReplace" | "supervisor">
    const make = Effect.fn(function* (options: Options, replaced: Parameters<typeof hostOf>[0] = {}) {
      const guest = yield* Conformance.make({ module: conformanceModule, ...options }).pipe(
        Effect.provide(hostOf(replaced))
      )
      const events: Array<Supervisor.Event> = []
      yield* Effect.forkScoped(
        Stream.runForEach(Plugin.health(guest), (event) => Effect.sync(() => events.push(event))),
        { startImmediately: true }
      )
      const happened = (...tags: ReadonlyArray<Supervisor.Event["_tag"]>) =>
        eventually(() =>
          assert.deepStrictEqual(
            events.map(({ _tag }) => _tag),
            tags
          )
        )
      return { guest, events, happened, die: Effect.exit(guest.panic_sync({ message: "no", logged: false })) }
    })

    const on = <A, E, R>(
      { executor }: { readonly executor: GuestExecutor.GuestExecutor["Service"] },
      effect: Effect.Effect<A, E, R>
    ) => Effect.provideService(effect, GuestExecutor.GuestExecutor, executor)

    it.effect("that trapped is replaced: its culprit fails, and the next call is answered", () =>
      Effect.gen(function* () {
        const { guest, happened } = yield* make({ supervisor: {} })
        assert.strictEqual((yield* reasonOf(guest.panic_sync({ message: "no", logged: false })))._tag, "Trapped")
        assert.strictEqual(yield* guest.early(), yield* guest.early())
        yield* happened("Died", "Replaced")
      })
    )

    it.effect("calls that had begun fail with whose fault it was, unless they may be made again", () =>
      Effect.gen(function* () {
        let started = 0
        const gate = yield* Deferred.make<void>()
        const wait = ({ id }: { readonly id: number }) =>
          Effect.suspend(() => {
            started++
            return Effect.as(Deferred.await(gate), id)
          })
        const guest = yield* Retried.make({ module: conformanceModule, supervisor: {} }).pipe(
          Effect.provide(hostOf({ host_try: wait, host_delay: wait }))
        )
        const idempotent = yield* Effect.forkChild(guest.via_host_try({ id: 9 }), { startImmediately: true })
        const other = yield* Effect.forkChild(guest.join({ count: 1 }), { startImmediately: true })
        yield* eventually(() => assert.strictEqual(started, 2))
        yield* Effect.exit(guest.panic_sync({ message: "no", logged: false }))
        const { message, reason } = yield* Effect.flip(Fiber.join(other))
        assert.deepInclude(reason, { _tag: "Poisoned", by: "panic_sync" })
        assert.match(message, /Load the plugin again, unless a supervisor replaces its guest$/)
        yield* eventually(() => assert.strictEqual(started, 3))
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(idempotent), 9)
      })
    )

    it.effect("a call that may be made again is, once", () =>
      Effect.gen(function* () {
        let started = 0
        const guest = yield* Retried.make({ module: conformanceModule, supervisor: {} }).pipe(
          Effect.provide(
            hostOf({
              host_try: () =>
                Effect.suspend(() => {
                  started++
                  return Effect.never
                })
            })
          )
        )
        const call = yield* Effect.forkChild(guest.via_host_try({ id: 9 }), { startImmediately: true })
        yield* eventually(() => assert.strictEqual(started, 1))
        yield* Effect.exit(guest.panic_sync({ message: "no", logged: false }))
        yield* eventually(() => assert.strictEqual(started, 2))
        yield* Effect.exit(guest.panic_sync({ message: "no", logged: false }))
        assert.strictEqual((yield* reasonOf(Fiber.join(call)))._tag, "Poisoned")
      })
    )

    it.effect("is prepared before any call enters it", () =>
      Effect.gen(function* () {
        const prepared: Array<number> = []
        const { die, guest, happened } = yield* make({
          supervisor: {},
          onReplace: (plugin) => Effect.map(plugin.via_host_try({ id: 77 }), (id) => prepared.push(id))
        })
        yield* die
        yield* guest.early()
        assert.deepStrictEqual(prepared, [77])
        yield* happened("Died", "Replaced")
      })
    )

    it.effect("whose preparation fails is not used, and the policy is asked again", () =>
      Effect.gen(function* () {
        let attempts = 0
        const { die, guest, happened } = yield* make({
          supervisor: { replace: Schedule.recurs(5) },
          onReplace: () => (++attempts < 3 ? Effect.fail("not yet") : Effect.void)
        })
        yield* die
        yield* guest.early()
        yield* happened("Died", "ReplacementFailed", "ReplacementFailed", "Replaced")
      })
    )

    it.effect("whose preparation has a bug is not used either", () =>
      Effect.gen(function* () {
        const bugs = [
          () => Effect.die("the bug"),
          () => Effect.interrupt,
          () => {
            throw new Error("the bug")
          }
        ]
        const { die, events, guest, happened } = yield* make({
          supervisor: { replace: Schedule.recurs(5) },
          onReplace: () => bugs.shift()?.() ?? Effect.void
        })
        yield* die
        yield* guest.early()
        yield* happened("Died", "ReplacementFailed", "ReplacementFailed", "ReplacementFailed", "Replaced")
        for (const event of events.slice(1, 4)) {
          assert.strictEqual("reason" in event && event.reason._tag, "OnReplaceFailed")
        }
      })
    )

    it.effect("whose preparation calls the guest that waits for it is told so, and does not wait for itself", () =>
      Effect.gen(function* () {
        // Also where those who wait have taken all room.
        for (const concurrency of [Infinity, 1]) {
          const self: { guest?: Conformance["Service"] } = {}
          const context = yield* Layer.build(executor({ concurrency }))
          const called = yield* Deferred.make<unknown>()
          const { die, events, guest, happened } = yield* Effect.provide(
            make({
              supervisor: {},
              onReplace: () => Effect.onExit(self.guest!.early(), (exit) => Deferred.succeed(called, exit))
            }),
            context
          )
          self.guest = guest
          yield* die
          const waiting = yield* Effect.forkChild(guest.early(), { startImmediately: true })
          const exit = (yield* Deferred.await(called)) as Exit.Exit<number, unknown>
          assert.strictEqual((yield* reasonOf(exit))._tag, "WaitsForItself")
          self.guest = { ...guest, early: () => Effect.succeed(0) }
          yield* untilSettled([waiting])
          assert.isNumber(yield* Fiber.join(waiting))
          yield* happened("Died", "ReplacementFailed", "Replaced")
          assert.strictEqual(events.length, 3)
        }
      })
    )

    it.effect("has synchronous twins that do not wait for it: their calls are not made", () =>
      Effect.gen(function* () {
        const ready = yield* Deferred.make<void>()
        const { die, guest, happened } = yield* make({ supervisor: {}, onReplace: () => Deferred.await(ready) })
        yield* die
        const waiting = yield* Effect.forkChild(guest.early(), { startImmediately: true })
        assert.throws(() => guest.echo_u32Unsafe({ value: 7 }), /being replaced/)
        assert.strictEqual(Plugin.stats(guest)[0]!.calls, 1)
        yield* Deferred.succeed(ready, undefined)
        assert.strictEqual(yield* Fiber.join(waiting), 42)
        yield* happened("Died", "Replaced")
        const { calls, used } = Plugin.stats(guest)[0]!
        assert.deepStrictEqual([calls, used.entries], [0, 1])
        if (synchronousTwins === "answer") assert.strictEqual(guest.echo_u32Unsafe({ value: 7 }), 7)
      })
    )

    it.effect("is given up when the policy says so: callers are told at once", () =>
      Effect.gen(function* () {
        const { die, guest, happened } = yield* make({ supervisor: { replace: Schedule.recurs(1) } })
        yield* die
        yield* guest.early()
        yield* die
        const { message, reason } = yield* Effect.flip(guest.early())
        assert.strictEqual(reason._tag, "GaveUp")
        assert.match(message, /not replaced any more: load the plugin again. The last time: .* panic_sync/)
        yield* happened("Died", "Replaced", "Died", "GaveUp")
        assert.strictEqual(Plugin.stats(guest)[0]!.alive, false)
      })
    )

    it.effect("calls wait for the replacement under their deadline, and keep their order", () =>
      Effect.gen(function* () {
        const order: Array<number> = []
        const { die, guest } = yield* make(
          { supervisor: { replace: Schedule.spaced("10 seconds") } },
          {
            host_try: ({ id }) =>
              Effect.as(
                Effect.sync(() => order.push(id)),
                id
              )
          }
        )
        yield* die
        const calls = yield* Effect.forEach([1, 2, 3], (id) =>
          Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
        )
        const overdue = yield* Effect.forkChild(guest.early().pipe(GuestCall.withDeadline("1 second")), {
          startImmediately: true
        })
        yield* TestClock.adjust("1 second")
        const error = yield* Effect.flip(Fiber.join(overdue))
        assert.deepInclude(error.reason, { _tag: "DeadlineExceeded", phase: "waiting" })
        assert.match(error.message, /for an instance.*keep a replacement ready/)
        yield* TestClock.adjust("9 seconds")
        assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), [1, 2, 3])
        assert.deepStrictEqual(order, [1, 2, 3])
      })
    )

    it.effect("restart intensity: so often within a time, and then never again", () =>
      Effect.gen(function* () {
        const { die, guest } = yield* make({
          supervisor: { replace: Supervisor.intensity({ restarts: 2, within: "1 minute" }) }
        })
        const dieAndWait = Effect.gen(function* () {
          yield* die
          const next = yield* Effect.forkChild(guest.early(), { startImmediately: true })
          yield* TestClock.adjust("1 second")
          return yield* Effect.exit(Fiber.join(next))
        })
        assert.strictEqual((yield* dieAndWait)._tag, "Success")
        assert.strictEqual((yield* dieAndWait)._tag, "Success")
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* dieAndWait)._tag, "Success")
        assert.strictEqual((yield* dieAndWait)._tag, "Success")
        assert.strictEqual((yield* dieAndWait)._tag, "Failure")
      })
    )

    it.effect("that wore out is recycled: calls that it has go on, new ones go to the next", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { events, guest, happened } = yield* make(
          { supervisor: { recycle: { calls: 3 } } },
          { host_try: ({ id }) => Effect.as(Deferred.await(gate), id) }
        )
        const slow = yield* Effect.forkChild(guest.via_host_try({ id: 4 }), { startImmediately: true })
        yield* guest.early()
        yield* guest.early()
        yield* happened("Recycled")
        assert.deepInclude(events[0], { because: "3 calls" })
        assert.strictEqual(Plugin.stats(guest)[0]!.used.entries, 0)
        yield* guest.early()
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(slow), 4)
      })
    )

    it.effect("that dies while it is recycled: its replacement stays", () =>
      Effect.gen(function* () {
        const { die, guest } = yield* make({ supervisor: { recycle: { calls: 1 } } })
        yield* guest.early()
        yield* die
        for (let call = 0; call < 5; call++) yield* guest.early()
        assert.isTrue(Plugin.stats(guest)[0]!.alive)
      })
    )

    it.effect("calls that had not begun when it died move to the next, all of them", () =>
      Effect.gen(function* () {
        const { guest } = yield* make({ supervisor: {} })
        const culprit = yield* Effect.forkChild(Effect.exit(guest.panic_sync({ message: "no", logged: false })), {
          startImmediately: true
        })
        const calls = yield* Effect.forEach(Array(500).keys(), () =>
          Effect.forkChild(guest.early(), { startImmediately: true })
        )
        yield* Fiber.join(culprit)
        assert.strictEqual((yield* Effect.forEach(calls, (call) => Fiber.join(call))).length, 500)
      })
    )

    it.effect("calls that had not begun when it died come before what the culprit's caller does then", () =>
      Effect.gen(function* () {
        const order: Array<number> = []
        const run = Effect.runForkWith(yield* Effect.context<never>())
        const calls: Array<Fiber.Fiber<number, unknown>> = []
        const { guest } = yield* make(
          { supervisor: {} },
          {
            host_u32: ({ value }) => Effect.sync(() => order.push(value)),
            // Made while the guest is on its stack, and for nobody there.
            host_sync_string: () =>
              Effect.suspend(() => {
                for (const value of [1, 2, 3]) calls.push(run(guest.via_host_u32({ value })))
                return Effect.die("the bug")
              })
          }
        )
        const culprit = guest.via_host_sync_string({ text: "" })
        assert.strictEqual((yield* reasonOf(culprit))._tag, "HostFunctionFailed")
        yield* guest.via_host_u32({ value: 100 })
        yield* Effect.forEach(calls, (call) => Fiber.join(call))
        assert.deepStrictEqual(order, [1, 2, 3, 100])
      })
    )

    it.effect("calls that wait come before what the callers of those before them do then, also when one kills it", () =>
      Effect.gen(function* () {
        const order: Array<number> = []
        const { die, guest } = yield* make(
          { supervisor: { replace: Schedule.spaced("10 seconds") } },
          { host_u32: ({ value }) => Effect.sync(() => order.push(value)) }
        )
        yield* die
        const ask = (value: number) => guest.via_host_u32({ value })
        const calls = yield* Effect.forEach(
          [Effect.andThen(ask(1), ask(100)), ask(2), Effect.andThen(die, ask(200)), ask(3), ask(4)],
          (call) => Effect.forkChild(call, { startImmediately: true })
        )
        yield* untilSettled(calls)
        assert.deepStrictEqual(order, [1, 2, 3, 4, 100, 200])
      })
    )

    it.effect("is prepared also where those who wait for it have taken all room", () =>
      Effect.gen(function* () {
        const context = yield* Layer.build(executor({ concurrency: 1 }))
        const { die, guest } = yield* Effect.provide(
          make({ supervisor: {}, onReplace: (plugin) => Effect.asVoid(plugin.early()) }),
          context
        )
        yield* die
        assert.isNumber(yield* guest.early())
      })
    )

    it.effect("that was loaded under a deadline is replaced long after it", () =>
      Effect.gen(function* () {
        const { die, guest } = yield* make({
          supervisor: {},
          onReplace: (plugin) => Effect.asVoid(plugin.early())
        }).pipe(GuestCall.withDeadline("10 seconds"))
        yield* TestClock.adjust("1 minute")
        yield* die
        assert.isNumber(yield* guest.early())
      })
    )

    it.effect("above a memory high-water mark, and with abandoned futures, it is recycled", () =>
      Effect.gen(function* () {
        const { guest, happened } = yield* make(
          { supervisor: { recycle: { memory: 8 * 1024 * 1024, abandoned: 2 } } },
          { host_delay: () => Effect.never }
        )
        yield* guest.grow({ mib: 8 })
        yield* happened("Recycled")
        assert.isBelow(Plugin.stats(guest)[0]!.memory, 8 * 1024 * 1024)
        const call = yield* Effect.forkChild(guest.join({ count: 2 }), { startImmediately: true })
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 2))
        yield* Fiber.interrupt(call)
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 2))
        yield* guest.early()
        yield* happened("Recycled", "Recycled")
      })
    )

    it.effect("that nobody has called for a while is recycled, once", () =>
      Effect.gen(function* () {
        const { guest, happened } = yield* make({ supervisor: { recycle: { idle: "1 minute" } } })
        yield* TestClock.adjust("10 minutes")
        yield* happened()
        yield* guest.early()
        yield* TestClock.adjust("2 minutes")
        yield* happened("Recycled")
        yield* TestClock.adjust("10 minutes")
        yield* happened("Recycled")
      })
    )

    it.effect("an instance that is kept ready takes over, while no other can be made", () =>
      Effect.gen(function* () {
        const { hold, release, seen, ...held } = yield* heldLoads
        hold(3)
        const { die, guest, happened } = yield* on(held, make({ supervisor: { warm: 1 } }))
        yield* eventually(() => assert.strictEqual(seen.loads, 2))
        yield* die
        const first = yield* Effect.forkChild(guest.early(), { startImmediately: true })
        yield* eventually(() => assert.isDefined(first.pollUnsafe()))
        yield* Fiber.join(first)
        yield* eventually(() => assert.strictEqual(seen.loads, 3))
        yield* release(3)
        yield* die
        const next = yield* Effect.forkChild(guest.early(), { startImmediately: true })
        yield* untilSettled([next])
        yield* Fiber.join(next)
        yield* happened("Died", "Replaced", "Died", "Replaced")
      })
    )

    it.effect("no more instances are kept ready than the policy says, also when it dies while one is made", () =>
      Effect.gen(function* () {
        const { hold, release, seen, ...held } = yield* heldLoads
        hold(3)
        const { die, guest, happened } = yield* on(held, make({ supervisor: { warm: 1, replace: Schedule.recurs(9) } }))
        yield* eventually(() => assert.strictEqual(seen.loads, 2))
        yield* die
        yield* guest.early()
        yield* eventually(() => assert.strictEqual(seen.loads, 3))
        yield* die
        yield* guest.early()
        yield* happened("Died", "Replaced", "Died", "Replaced")
        yield* Effect.repeat(turn, { times: 20 })
        yield* release(3)
        yield* Effect.repeat(turn, { times: 20 })
        assert.strictEqual(seen.loads, 4)
        yield* eventually(() => assert.deepStrictEqual(seen.closed, [1, 2]))
      })
    )

    it.effect("that wore out is closed when it has answered its last call", () =>
      Effect.gen(function* () {
        const { seen, ...held } = yield* heldLoads
        const gate = yield* Deferred.make<void>()
        const { guest, happened } = yield* on(
          held,
          make({ supervisor: { recycle: { calls: 2 } } }, { host_try: ({ id }) => Effect.as(Deferred.await(gate), id) })
        )
        const slow = yield* Effect.forkChild(guest.via_host_try({ id: 4 }), { startImmediately: true })
        yield* guest.early()
        yield* happened("Recycled")
        yield* guest.early()
        yield* Effect.repeat(turn, { times: 20 })
        assert.deepStrictEqual(seen.closed, [])
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(slow), 4)
        yield* eventually(() => assert.deepStrictEqual(seen.closed, [1]))
      })
    )

    it.effect("that wore out and died before its replacement was there was not recycled", () =>
      Effect.gen(function* () {
        const { hold, release, seen, ...held } = yield* heldLoads
        hold(2)
        const { die, guest, happened } = yield* on(held, make({ supervisor: { recycle: { calls: 1 } } }))
        yield* guest.early()
        yield* eventually(() => assert.strictEqual(seen.loads, 2))
        yield* die
        yield* happened("Died")
        yield* release(2)
        yield* happened("Died", "Replaced")
        yield* eventually(() => assert.deepStrictEqual(seen.closed, [1]))
      })
    )

    it.effect("that wore out and cannot be replaced is kept, until it dies", () =>
      Effect.gen(function* () {
        const { seen, ...held } = yield* heldLoads
        const { die, events, guest, happened } = yield* on(
          held,
          make({
            supervisor: { recycle: { calls: 1 }, replace: Schedule.recurs(1) },
            onReplace: () => Effect.fail(new Error("not now"))
          })
        )
        yield* guest.early()
        yield* happened("ReplacementFailed", "ReplacementFailed", "Kept")
        for (const event of events) {
          assert.deepInclude("reason" in event && event.reason, { _tag: "OnReplaceFailed", detail: "not now" })
        }
        for (let call = 0; call < 5; call++) yield* guest.early()
        yield* eventually(() => assert.deepStrictEqual(seen.closed, [2, 3]))
        assert.strictEqual(seen.loads, 3)
        assert.isTrue(Plugin.stats(guest)[0]!.alive)
        yield* die
        yield* happened("ReplacementFailed", "ReplacementFailed", "Kept", "Died", "GaveUp")
        assert.strictEqual((yield* reasonOf(guest.early()))._tag, "GaveUp")
      })
    )

    it.effect("that has replaced another is idle when it has had no call for so long itself", () =>
      Effect.gen(function* () {
        const { die, guest, happened } = yield* make({ supervisor: { recycle: { idle: "1 minute" } } })
        yield* guest.early()
        yield* TestClock.adjust("1 minute")
        yield* die
        yield* happened("Died", "Replaced")
        yield* TestClock.adjust("50 seconds")
        yield* guest.early()
        yield* TestClock.adjust("10 seconds")
        yield* Effect.repeat(turn, { times: 20 })
        yield* happened("Died", "Replaced")
        yield* TestClock.adjust("1 minute")
        yield* happened("Died", "Replaced", "Recycled")
      })
    )

    it.effect("by a policy that counts what is no count is a defect", () =>
      Effect.gen(function* () {
        const policies: ReadonlyArray<Supervisor.Policy> = [
          { warm: -1 },
          { warm: 1.5 },
          { warm: Number.NaN },
          { warm: Infinity },
          { retries: -1 },
          { retries: 0.5 },
          { retries: Number.NaN },
          { recycle: { calls: 0 } },
          { recycle: { calls: Number.NaN } },
          { recycle: { memory: -1 } },
          { recycle: { abandoned: 1.5 } },
          { recycle: { idle: 0 } },
          { recycle: { idle: Number.NaN } },
          { recycle: { idle: -1 } }
        ]
        for (const supervisor of policies) {
          const exit = yield* Effect.exit(make({ supervisor }))
          assert.instanceOf(Exit.isFailure(exit) && Cause.squash(exit.cause), RangeError)
        }
        yield* make({
          supervisor: { warm: 0, retries: Infinity, recycle: { calls: Infinity, memory: 4096, abandoned: 1 } }
        })
        for (const restarts of [-1, 0.5, Number.NaN])
          assert.throws(() => Supervisor.intensity({ restarts }), RangeError)
      })
    )

    it.effect("that is closed is not replaced", () =>
      Effect.gen(function* () {
        const guest = yield* Effect.scoped(Effect.map(make({ supervisor: {} }), ({ guest }) => guest))
        assert.strictEqual((yield* reasonOf(guest.early()))._tag, "Closed")
      })
    )
  })
