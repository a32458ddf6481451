import { assert, describe, layer } from "@effect/vitest"
import { Abi, GuestCall, GuestError, type GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Conformance, ConformanceImports, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { HostError } from "../fixtures/conformanceTypes.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { reasonOf } from "../fixtures/reasonOf.ts"
import { steered } from "../fixtures/steered.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { Curt, CurtImports, compile, data, plugin, Wat, WatImports, watHandlers } from "../fixtures/wat.ts"

/**
 * Milliseconds. Effect's time is the test's, and a machine's own is nothing to it, however slow that is: of an hour what a
 * call really took is no part.
 */
const hour = 3_600_000

/** A part of the conformance plugin's contract, in which a function has a deadline of its own, and may be begun again. */
class Hurried extends Plugin.Service<Hurried>()("hurried/Guest", {
  imports: ConformanceImports,
  exports: [
    Rpc.make("via_host_try", { payload: { id: Abi.U32 }, success: Abi.U32, error: HostError })
      .annotate(Abi.Deadline, hour)
      .annotate(Abi.Idempotent, true),
    Abi.sync("panic_sync", { payload: { message: Schema.String, logged: Schema.Boolean } })
  ]
}) {}

/** One deadline per call, whatever the call waits for. Time is the test's. */
export const deadlineSuite = ({ conformance, executor, name, syncHostFunctions }: Topology) =>
  layer(Layer.merge(executor(), conformance))(`deadlines of calls of a guest ${name}`, (it) => {
    const on = <A, E, R>(options: GuestExecutor.Options, effect: Effect.Effect<A, E, R>) =>
      Effect.flatMap(Layer.build(executor(options)), (context) => Effect.provide(effect, context))

    /** Why a call fails that has a deadline of 100 ms. */
    const overdue = Effect.fn(function* <A, E, R>(call: Effect.Effect<A, E, R>, began: Effect.Effect<unknown>) {
      const fiber = yield* Effect.forkChild(call.pipe(GuestCall.withDeadline("100 millis")), { startImmediately: true })
      yield* began
      yield* TestClock.adjust("99 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      return yield* reasonOf(Fiber.join(fiber))
    })

    it.effect("a slow host function: the phase is host, and the host function is interrupted", () =>
      Effect.gen(function* () {
        const { answer, guest, interrupted, started } = yield* steered
        const began = eventually(() => assert.deepStrictEqual(started, [1]))
        const reason = yield* overdue(guest.via_host_try({ id: 1 }), began)
        assert.deepInclude(reason, { _tag: "DeadlineExceeded", phase: "host" })
        yield* eventually(() => assert.deepStrictEqual(interrupted, [1]))
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 0))
        yield* answer(2)
        assert.strictEqual(yield* guest.via_host_try({ id: 2 }), 2)
      })
    )

    it.effect("a full executor: the phase is waiting, and the call never enters its guest", () =>
      Effect.gen(function* () {
        const { answer, guest, started } = yield* on({ concurrency: 1 }, steered)
        const first = yield* Effect.forkChild(guest.via_host_try({ id: 1 }), { startImmediately: true })
        yield* eventually(() => assert.deepStrictEqual(started, [1]))
        const reason = yield* overdue(guest.via_host_try({ id: 2 }), Effect.void)
        assert.deepInclude(reason, { _tag: "DeadlineExceeded", phase: "waiting", waiting: 100, inGuest: 0, inHost: 0 })
        yield* answer(1)
        assert.strictEqual(yield* Fiber.join(first), 1)
        assert.deepStrictEqual(started, [1])
      })
    )

    it.effect("a future that nobody answers: the phase is guest", () =>
      Effect.gen(function* () {
        const { guest } = yield* steered
        const began = eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.used.entries, 1))
        const reason = yield* overdue(guest.never(), began)
        assert.deepInclude(reason, { _tag: "DeadlineExceeded", phase: "guest", inHost: 0 })
      })
    )

    it.effect("a future that nobody answers after a host function: that is where the time of each went", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const guest = yield* Wat.make({ module: compile(plugin({ resolve: "" })) }).pipe(
          Effect.provide(
            WatImports.toLayer({ ...watHandlers, ask: ({ text }) => Effect.as(Deferred.await(gate), text) })
          )
        )
        /** Real time passes while the guest is off the stack: how much. */
        const pass = Effect.promise(async () => {
          const before = performance.now()
          await new Promise((resolve) => setTimeout(resolve, 50))
          return performance.now() - before
        })
        const before = performance.now()
        const call = yield* Effect.forkChild(reasonOf(guest.relay().pipe(GuestCall.withDeadline(hour))), {
          startImmediately: true
        })
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 1))
        const host = yield* pass
        yield* Deferred.succeed(gate, undefined)
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 0))
        const nobody = yield* pass
        yield* TestClock.adjust(hour)
        const reason = yield* Fiber.join(call)
        const all = performance.now() - before
        assert.strictEqual(reason._tag, "DeadlineExceeded")
        if (reason._tag !== "DeadlineExceeded") return
        const { inGuest, inHost, phase, waiting } = reason
        assert.strictEqual(phase, "guest")
        assert.approximately(waiting + inGuest + inHost, hour, 1)
        // The hour is split as the real time was, of which each had so much at least. Half of that allows for clocks.
        assert.isAtLeast(inHost, ((host / all) * (hour - all)) / 2)
        assert.isAtLeast(inGuest, ((nobody / all) * (hour - all)) / 2)
      })
    )

    it.effect("a call that is begun again: what its first attempt spent was no waiting", () =>
      Effect.gen(function* () {
        const started: Array<number> = []
        const wait = ({ id }: { readonly id: number }) =>
          Effect.suspend(() => {
            started.push(id)
            return Effect.never
          })
        const guest = yield* Hurried.make({ module: conformanceModule, supervisor: {} }).pipe(
          Effect.provide(hostOf({ host_try: wait }))
        )
        const call = yield* Effect.forkChild(reasonOf(guest.via_host_try({ id: 1 })), { startImmediately: true })
        const waits = (starts: number) =>
          eventually(() => {
            assert.strictEqual(started.length, starts)
            assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 1)
          })
        yield* waits(1)
        yield* TestClock.adjust(hour / 2)
        yield* Effect.exit(guest.panic_sync({ message: "no", logged: false }))
        yield* waits(2)
        yield* TestClock.adjust(hour / 2)
        const reason = yield* Fiber.join(call)
        assert.deepStrictEqual(started, [1, 1])
        assert.strictEqual(reason._tag, "DeadlineExceeded")
        if (reason._tag !== "DeadlineExceeded") return
        assert.strictEqual(reason.phase, "host")
        // Of either attempt nearly all was the host function's.
        assert.isBelow(reason.waiting, hour / 4)
        assert.isAbove(reason.inHost, (3 * hour) / 4)
        assert.approximately(reason.waiting + reason.inGuest + reason.inHost, hour, 1)
      })
    )

    it.effect("siblings without one go on", () =>
      Effect.gen(function* () {
        const { answer, guest, started } = yield* steered
        const sibling = yield* Effect.forkChild(guest.via_host_try({ id: 5 }), { startImmediately: true })
        yield* overdue(
          guest.join({ count: 3 }),
          eventually(() => assert.deepStrictEqual(started, [5, 0, 1, 2]))
        )
        yield* answer(5)
        assert.strictEqual(yield* Fiber.join(sibling), 5)
      })
    )

    it.effect("each of a thousand calls has its own", () =>
      Effect.gen(function* () {
        const { guest, started } = yield* steered
        const ids = Array.from({ length: 1000 }, (_, id) => id)
        const calls = yield* Effect.forEach(ids, (id) =>
          Effect.forkChild(guest.via_host_try({ id }).pipe(GuestCall.withDeadline(1000 - id)), {
            startImmediately: true
          })
        )
        yield* eventually(() => assert.strictEqual(started.length, 1000))
        const settled = () => calls.filter((call) => call.pollUnsafe() !== undefined).length
        for (const milliseconds of [1, 499, 500]) {
          const before = settled()
          yield* TestClock.adjust(milliseconds)
          yield* eventually(() => assert.strictEqual(settled(), before + milliseconds))
        }
        // The test's time runs ahead of what the guest's thread does: of the first calls' grace time none may pass.
      }).pipe((test) => on({ escalation: { overdue: hour } }, test))
    )

    it.effect("calls that are due at once, of which each one's answer makes another leave", () =>
      Effect.gen(function* () {
        const { guest, started } = yield* steered
        const ids = Array.from({ length: 100 }, (_, id) => id)
        const calls = yield* Effect.forEach(ids, (id) =>
          Effect.forkChild(guest.via_host_try({ id }).pipe(GuestCall.withDeadline("100 millis")), {
            startImmediately: true
          })
        )
        for (const id of ids) if (id % 2 === 0) calls[id]!.addObserver(() => calls[id + 1]!.interruptUnsafe())
        yield* eventually(() => assert.strictEqual(started.length, 100))
        yield* TestClock.adjust("100 millis")
        const exits = yield* Effect.forEach(calls, Fiber.await)
        const reasons = exits.map((exit) => (Exit.isFailure(exit) ? GuestError.reasonOf(exit)?._tag : "answered"))
        const [even, odd] = [0, 1].map((rest) => new Set(reasons.filter((_, id) => id % 2 === rest)))
        assert.deepStrictEqual(even, new Set(["DeadlineExceeded"]))
        // Due before its neighbour was told, or interrupted by it.
        assert.isTrue(odd!.isSubsetOf(new Set(["DeadlineExceeded", undefined])))
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.calls, 0))
      })
    )

    it.effect("is inherited by host functions and their calls, and never made longer", () =>
      Effect.gen(function* () {
        const outer: { guest: Conformance["Service"] | undefined } = { guest: undefined }
        const nested = yield* Deferred.make<unknown>()
        const seen: Array<number> = []
        const look = Effect.map(GuestCall.CurrentDeadline, (deadline) => seen.push(deadline))
        const dueAt = (yield* Clock.currentTimeMillis) + 100
        outer.guest = yield* Conformance.make({ module: conformanceModule }).pipe(
          Effect.provide(
            hostOf({
              host_delay: ({ id }) =>
                look.pipe(
                  Effect.andThen(look.pipe(GuestCall.withDeadline("1 hour"))),
                  Effect.andThen(outer.guest!.never()),
                  GuestCall.withDeadline("1 hour"),
                  Effect.onExit((exit) => Deferred.succeed(nested, exit)),
                  Effect.orDie,
                  Effect.as(id)
                )
            })
          )
        )
        const { guest } = outer
        const began = eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.calls, 2))
        const reason = yield* overdue(guest.join({ count: 1 }), began)
        assert.strictEqual(reason._tag, "DeadlineExceeded")
        assert.deepStrictEqual(seen, [dueAt, dueAt])
        assert.isTrue(Exit.isFailure((yield* Deferred.await(nested)) as Exit.Exit<unknown, unknown>))
      })
    )

    it.effect("of the executor's layer holds for all calls", () =>
      Effect.gen(function* () {
        const { guest } = yield* on({ deadline: "1 second" }, steered)
        const call = yield* Effect.forkChild(guest.never(), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* reasonOf(Fiber.join(call)))._tag, "DeadlineExceeded")
      })
    )

    it.effect("of a function holds in the place of the executor's, also when it is longer", () =>
      Effect.gen(function* () {
        const guest = yield* on(
          { deadline: "100 millis" },
          Hurried.make({ module: conformanceModule }).pipe(Effect.provide(hostOf({ host_try: () => Effect.never })))
        )
        const call = yield* Effect.forkChild(guest.via_host_try({ id: 1 }), { startImmediately: true })
        yield* TestClock.adjust(hour - 1)
        assert.isUndefined(call.pollUnsafe())
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* reasonOf(Fiber.join(call)))._tag, "DeadlineExceeded")
      })
    )

    it.effect("that has passed already: the call does not begin", () =>
      Effect.gen(function* () {
        const { guest } = yield* steered
        const reason = yield* reasonOf(guest.early().pipe(GuestCall.withDeadline(0)))
        assert.deepInclude(reason, { _tag: "DeadlineExceeded", phase: "waiting" })
        assert.strictEqual(Plugin.stats(guest)[0]!.used.entries, 0)
      })
    )

    describe("a host function whose finalizer takes its time", () => {
      const stubborn = Effect.fn(function* (function_: "host_delay" | "host_try") {
        const release = yield* Deferred.make<void>()
        const started: Array<number> = []
        const wait = ({ id }: { readonly id: number }) =>
          Effect.suspend(() => {
            started.push(id)
            return Effect.never
          }).pipe(Effect.onInterrupt(() => Deferred.await(release)))
        const guest = yield* Conformance.make({ module: conformanceModule }).pipe(
          Effect.provide(hostOf({ [function_]: wait }))
        )
        yield* Effect.addFinalizer(() => Deferred.succeed(release, undefined))
        return { guest, release, started }
      })

      it.effect("the caller returns at once, and after the grace time the guest gets its Err", () =>
        Effect.gen(function* () {
          const { guest, release, started } = yield* stubborn("host_try")
          const call = yield* Effect.forkChild(guest.cleanup({ id: 1 }), { startImmediately: true })
          yield* eventually(() => assert.deepStrictEqual(started, [1]))
          yield* Fiber.interrupt(call)
          const entries = Plugin.stats(guest)[0]!.used.entries
          assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 1)
          yield* TestClock.adjust("1 second")
          yield* eventually(() => assert.isAbove(Plugin.stats(guest)[0]!.used.entries, entries))
          assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 0)
          yield* Deferred.succeed(release, undefined)
          yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 0))
          assert.strictEqual(Plugin.stats(guest)[0]!.heldAsyncValues, 0)
        })
      )

      it.effect("a sync one: its guest is answered for it once", () =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const release = yield* Deferred.make<void>()
          const module = yield* compile(
            plugin({ answer: `(drop (call $ask_sync (i64.const ${data.hello}))) (call $bump (i32.const 12))` })
          )
          const guest = yield* Curt.make({ module }).pipe(
            Effect.provide(
              CurtImports.toLayer({
                ...watHandlers,
                ask_sync: () =>
                  Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
                    Effect.onInterrupt(() => Deferred.await(release))
                  )
              })
            )
          )
          yield* Effect.addFinalizer(() => Deferred.succeed(release, undefined))
          const events: Array<string> = []
          yield* Effect.forkScoped(
            Stream.runForEach(Plugin.health(guest), ({ _tag }) => Effect.sync(() => events.push(_tag))),
            { startImmediately: true }
          )
          const call = yield* Effect.forkChild(guest.answer(), { startImmediately: true })
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(call)
          yield* TestClock.adjust("1 second")
          // The guest is off the stack: where its function must finish it had the Err there, where it may wait after the grace time.
          assert.strictEqual(yield* guest.text(), "ok")
          yield* Effect.repeat(Effect.andThen(TestClock.adjust("1 second"), turn), { times: 10 })
          assert.deepStrictEqual(events, syncHostFunctions === "may wait" ? ["Answered"] : [])
        }).pipe(Effect.provide(Logger.layer([])))
      )

      it.effect("without such an Err its future is counted as abandoned", () =>
        Effect.gen(function* () {
          const { guest, started } = yield* stubborn("host_delay")
          const call = yield* Effect.forkChild(guest.join({ count: 2 }), { startImmediately: true })
          yield* eventually(() => assert.deepStrictEqual(started, [0, 1]))
          yield* Fiber.interrupt(call)
          assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 0)
          yield* TestClock.adjust("1 second")
          yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 2))
        })
      )
    })
  })
