import { assert, describe, it } from "@effect/vitest"
import { NodeGuestThread } from "@fiberhost/node"
import { GuestCall, GuestError, GuestExecutor, Plugin, type Supervisor } from "@fiberhost/wasm-host"
import { Deferred, Effect, Fiber, Layer, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { Hostile, HostileImports, hostileHandlers } from "../fixtures/hostile/contract.ts"
import { calls } from "../fixtures/hostile/entry.ts"
import { hostile } from "../fixtures/hostile/guest.ts"
import { loops } from "../fixtures/hostile/loops.ts"
import { reasonOf } from "../fixtures/reasonOf.ts"
import { onThread } from "../fixtures/topologies.ts"
import { compile, plugin, Wat, WatImports, watHandlers } from "../fixtures/wat.ts"

const threads = (options: NodeGuestThread.Options) => Layer.orDie(NodeGuestThread.layer(options))

const guestOf = (supervisor?: Supervisor.Policy, replaced: Parameters<typeof conformanceHost>[0] = {}) =>
  Conformance.make({ module: conformanceModule, ...(supervisor === undefined ? {} : { supervisor }) }).pipe(
    Effect.provide(conformanceHost(replaced))
  )

const start = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.forkChild(call, { startImmediately: true })

/** Until the guest is in its entry of this number. */
const entries = (guest: Conformance["Service"], number: number) =>
  eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.used.entries, number))

/** Time goes on until the call is answered: what it waits for is looked at some turns later. */
const untilSettled = (call: Fiber.Fiber<unknown, unknown>) =>
  Effect.repeat(Effect.andThen(TestClock.adjust("10 seconds"), turn), {
    until: () => call.pollUnsafe() !== undefined
  })

describe("a guest that does not return", () => {
  it.effect(
    "is stopped soon after its deadline: calls in flight learn why, those not begun move, other threads do not notice",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const guest = yield* guestOf({}, { host_try: ({ id }) => Effect.as(Deferred.await(gate), id) })
        const neighbour = yield* guestOf()
        const asked = yield* start(Effect.forEach(Array(2000).keys(), (n) => neighbour.via_host_echo({ text: `${n}` })))
        const inFlight = yield* start(guest.via_host_try({ id: 1 }))
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 1))
        const spinning = yield* start(guest.spin_forever().pipe(GuestCall.withDeadline("1 second")))
        const queued = yield* start(guest.early())
        yield* entries(guest, 2)

        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* reasonOf(Fiber.join(spinning)), { _tag: "DeadlineExceeded", phase: "guest" })
        assert.isUndefined(inFlight.pollUnsafe())
        yield* TestClock.adjust("50 millis")
        const lost = yield* reasonOf(Fiber.join(inFlight))
        assert.instanceOf(lost, GuestError.ThreadLost)
        assert.match(lost.detail, /did not return to conformance\/Conformance\.spin_forever, which was overdue/)
        assert.strictEqual(lost.lastRan, "spin_forever")
        yield* untilSettled(queued)
        assert.isNumber(yield* Fiber.join(queued))
        assert.strictEqual((yield* Fiber.join(asked)).length, 2000)
      }).pipe(Effect.provide(threads({ threads: 2 })))
  )

  it.live("is stopped when its caller was interrupted", () =>
    Effect.gen(function* () {
      const guest = yield* guestOf({})
      const spinning = yield* start(guest.spin_forever())
      yield* entries(guest, 1)
      yield* Fiber.interrupt(spinning)
      assert.isNumber(yield* guest.early())
    }).pipe(Effect.provide(threads({ escalation: { interrupted: "20 millis" } })))
  )

  it.live("leaves its thread to no plugin that is loaded from the moment that it is stopped", () =>
    Effect.gen(function* () {
      const guest = yield* guestOf({})
      const terminated = yield* start(
        Stream.runHead(Stream.filter(Plugin.health(guest), ({ _tag }) => _tag === "Terminated"))
      )
      const spinning = yield* start(guest.spin_forever())
      yield* entries(guest, 1)
      // Read before, so that the plugin is loaded in the turn in which that is told.
      const module = yield* conformanceModule
      yield* Fiber.interrupt(spinning)
      yield* Fiber.join(terminated)
      const loaded = yield* Effect.provide(Conformance.make({ module }), conformanceHost())
      assert.strictEqual(yield* loaded.early(), 42)
    }).pipe(Effect.provide(threads({ escalation: { interrupted: "20 millis" } })))
  )

  it.live("is heard: a host function that it does not wait for runs meanwhile", () =>
    Effect.gen(function* () {
      const noted = yield* Deferred.make<number>()
      const wat = hostile({ number: "(call $note (local.get $n)) (loop $ever (br $ever)) (local.get $n)" })
      const guest = yield* Hostile.make({ module: compile(wat) }).pipe(
        Effect.provide(HostileImports.toLayer({ ...hostileHandlers, note: ({ n }) => Deferred.succeed(noted, n) }))
      )
      const spinning = yield* start(guest.number({ n: 7 }))
      assert.strictEqual(yield* Deferred.await(noted), 7)
      yield* Fiber.interrupt(spinning)
    }).pipe(Effect.provide(threads({ escalation: { interrupted: "20 millis" } })))
  )

  it.effect("is left alone while somebody waits for it, and those who do not get to it are overdue unbegun", () =>
    Effect.gen(function* () {
      const guest = yield* guestOf({})
      const spinning = yield* start(guest.spin_forever())
      yield* entries(guest, 1)
      const waiting = yield* start(reasonOf(guest.early().pipe(GuestCall.withDeadline("1 second"))))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(waiting), { _tag: "DeadlineExceeded", phase: "waiting" })
      yield* Effect.repeat(Effect.andThen(TestClock.adjust("10 seconds"), turn), { times: 20 })
      assert.isUndefined(spinning.pollUnsafe())
      assert.deepInclude(Plugin.stats(guest)[0]!, { alive: true, calls: 1 })
      // Until nobody does.
      yield* Fiber.interrupt(spinning)
      const next = yield* start(guest.early())
      yield* untilSettled(next)
      assert.isNumber(yield* Fiber.join(next))
    }).pipe(Effect.provide(threads({})))
  )

  it.effect(
    "a call that is over does not end the thread while a sync host function of another is still to be answered",
    () =>
      Effect.gen(function* () {
        const release = yield* Deferred.make<void>()
        const began: Array<string> = []
        const stubborn = (name: string) =>
          Effect.andThen(
            Effect.sync(() => began.push(name)),
            Deferred.await(release)
          )
        const guest = yield* guestOf(
          {},
          {
            host_try: ({ id }) => Effect.uninterruptible(Effect.as(stubborn("async"), id)),
            host_sync_result: ({ text }) => Effect.uninterruptible(Effect.as(stubborn("sync"), text))
          }
        )
        yield* Effect.addFinalizer(() => Deferred.succeed(release, undefined))
        const events: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(Plugin.health(guest), ({ _tag }) => Effect.sync(() => events.push(_tag))),
          { startImmediately: true }
        )
        // The grace time of one that is overdue is 50 ms, that of one that is interrupted 1 second.
        const overdue = yield* start(guest.via_host_try({ id: 1 }).pipe(GuestCall.withDeadline("100 millis")))
        yield* eventually(() => assert.deepStrictEqual(began, ["async"]))
        const blocking = yield* start(guest.via_host_sync_result({ text: "" }))
        yield* eventually(() => assert.deepStrictEqual(began, ["async", "sync"]))
        yield* Fiber.interrupt(blocking)
        yield* TestClock.adjust("100 millis")
        assert.strictEqual((yield* reasonOf(Fiber.join(overdue)))._tag, "DeadlineExceeded")
        yield* Effect.forEach(Array(16).keys(), () => Effect.andThen(TestClock.adjust("50 millis"), turn))
        assert.deepStrictEqual(events, ["Answered"])
        yield* TestClock.adjust("100 millis")
        yield* eventually(() => assert.deepStrictEqual(events, ["Answered", "Answered"]))
        assert.isNumber(yield* guest.early())
      }).pipe(Effect.scoped, Effect.provide(threads({})))
  )

  it.live("that loops where nobody waits any more, after an interruption, is stopped too", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      const module = yield* compile(plugin({ resolve: "(loop $for_ever (br $for_ever))" }))
      const guest = yield* Wat.make({ module, supervisor: {} }).pipe(
        Effect.provide(
          WatImports.toLayer({
            ...watHandlers,
            ask: ({ text }) =>
              Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(gate)).pipe(
                Effect.as(text),
                Effect.uninterruptible
              )
          })
        )
      )
      const call = yield* start(guest.relay())
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(call)
      yield* Deferred.succeed(gate, undefined)
      yield* eventually(() => assert.isAtLeast(Plugin.stats(guest)[0]!.used.entries, 2))
      assert.strictEqual(yield* guest.number({ n: 3 }), 3)
    }).pipe(Effect.provide(threads({ escalation: { interrupted: "20 millis" } })))
  )

  describe.each(loops)("that $name", ({ call, wat }) => {
    it.live("is overdue, and its thread is replaced", () =>
      Effect.gen(function* () {
        const healthy = yield* Hostile.make({ module: compile(hostile()), supervisor: {} })
        const waiting = yield* start(healthy.never())
        const load = Hostile.make({ module: compile(wat), supervisor: {} })
        const overdue = Effect.gen(function* () {
          const guest = yield* load.pipe(GuestCall.withDeadline(call === undefined ? "300 millis" : "10 seconds"))
          if (call !== undefined) yield* calls[call](guest).pipe(GuestCall.withDeadline("300 millis"))
        })
        assert.strictEqual((yield* reasonOf(overdue))._tag, "DeadlineExceeded")
        assert.strictEqual((yield* reasonOf(Fiber.join(waiting)))._tag, "ThreadLost")
        assert.strictEqual(yield* healthy.relay({ text: "again" }), "again")
      }).pipe(Effect.provide(Layer.merge(threads({ escalation: { overdue: "10 millis" } }), onThread.hostile)))
    )
  })

  it.live("in the application's thread: a deadline there is warned of, once", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => lines.push(message))
      yield* Effect.gen(function* () {
        const guest = yield* guestOf()
        yield* guest.early().pipe(GuestCall.withDeadline("10 seconds"))
        yield* guest.early().pipe(GuestCall.withDeadline("10 seconds"))
      }).pipe(Effect.provide(Layer.provideMerge(GuestExecutor.layer(), Logger.layer([logger]))))
      assert.strictEqual(lines.length, 1)
      assert.match(String(lines[0]), /nothing can stop a guest there/)
    })
  )
})
