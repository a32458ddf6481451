import { assert, describe, it } from "@effect/vitest"
import { HostPool } from "@fiberhost/core"
import { NodeGuestThread } from "@fiberhost/node"
import { GuestCall, GuestError, GuestExecutor, GuestThread, Plugin, type Supervisor } from "@fiberhost/wasm-host"
import { Deferred, Effect, Exit, Fiber, Formatter, Layer, Option, References, Schedule, Stream } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { recordedThreads } from "../fixtures/recordedThreads.ts"

const inApplication = GuestExecutor.layer()
const onThread = Layer.orDie(NodeGuestThread.layer())

const start = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.forkChild(call, { startImmediately: true })
const panic = (guest: Conformance["Service"]) => Effect.exit(guest.panic_sync({ message: "no", logged: false }))
const eventsOf = Effect.fnUntraced(function* (guest: Conformance["Service"]) {
  const events: Array<Supervisor.Event> = []
  yield* Effect.forkScoped(
    Stream.runForEach(Plugin.health(guest), (event) => Effect.sync(() => events.push(event))),
    { startImmediately: true }
  )
  return events
})

for (const [name, executor] of Object.entries({
  "in the application's thread": inApplication,
  "on a thread": onThread
})) {
  describe(`a guest ${name}`, () => {
    it.effect("is printed by its functions, without the instance behind them", () =>
      Effect.gen(function* () {
        const guest = yield* Conformance.make({ module: conformanceModule })
        const { echo_bool, ...others } = guest
        assert.isFunction(echo_bool)
        for (const printed of [guest, others]) {
          assert.include(Formatter.format(printed), "echo_i8")
          assert.notMatch(Formatter.format(printed), /__fp_malloc|Memory/)
        }
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(conformanceHost({}), executor)))
    )

    it.live("has host functions that run under their caller's deadline, and not that of who built their layer", () => {
      const left: Array<number> = []
      const host = conformanceHost({
        host_try: ({ id }) =>
          Effect.map(GuestCall.CurrentDeadline, (deadline) => {
            left.push(deadline - Date.now())
            return id
          })
      })
      const layer = Conformance.layer({ module: conformanceModule }).pipe(Layer.provide(host), Layer.provide(executor))
      return Effect.gen(function* () {
        const guest = yield* Conformance
        yield* guest.via_host_try({ id: 1 }).pipe(GuestCall.withDeadline("1 minute"))
        assert.isAtMost(left[0]!, 60_000)
      }).pipe(Effect.provide(layer), GuestCall.withDeadline("1 hour"))
    })

    it.live(
      "has host functions whose calls of pools are pinned as their caller's, and not as who built their layer",
      () => {
        const keys: Array<unknown> = []
        const host = conformanceHost({
          host_try: ({ id }) =>
            Effect.map(HostPool.PinnedTo, (key) => {
              keys.push(key)
              return id
            })
        })
        const layer = Conformance.layer({ module: conformanceModule }).pipe(
          Layer.provide(host),
          Layer.provide(executor)
        )
        return Effect.gen(function* () {
          const guest = yield* Conformance
          yield* HostPool.pinned(guest.via_host_try({ id: 1 }), "caller")
          yield* HostPool.pinned(guest.via_host_try({ id: 1 }), undefined)
          assert.deepStrictEqual(keys, ["caller", undefined])
        }).pipe(Effect.provide(layer), (effect) => HostPool.pinned(effect, "builder"))
      }
    )

    it.live("gives what no call owns nothing of whoever loaded it: no deadline, no span, no annotation", () =>
      Effect.gen(function* () {
        const logged = yield* Deferred.make<readonly [deadline: number, isWithinSpan: boolean, annotations: object]>()
        const asked = yield* Deferred.make<void>()
        const host = yield* Layer.build(
          conformanceHost({
            host_try: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never),
            log: () =>
              Effect.all([
                GuestCall.CurrentDeadline,
                Effect.map(Effect.option(Effect.currentSpan), Option.isSome),
                References.CurrentLogAnnotations
              ]).pipe(
                Effect.flatMap((seen) => Deferred.succeed(logged, seen)),
                Effect.asVoid
              )
          })
        )
        const guest = yield* Conformance.make({ module: conformanceModule }).pipe(
          Effect.provide(host),
          GuestCall.withDeadline("1 hour"),
          Effect.withSpan("load"),
          Effect.annotateLogs({ request: 1 })
        )
        const call = yield* start(guest.cleanup({ id: 1 }))
        yield* Deferred.await(asked)
        yield* Fiber.interrupt(call)
        assert.deepStrictEqual(yield* Deferred.await(logged), [Infinity, false, {}])
      }).pipe(Effect.scoped, Effect.provide(executor))
    )

    it.live("fails a call whose sync host function dies of what has no text, and all others", () =>
      Effect.gen(function* () {
        const bug = Object.defineProperty(new Error(), "message", {
          get: () => {
            throw new Error("it cannot be read")
          }
        })
        const guest = yield* Conformance.make({ module: conformanceModule, supervisor: {} }).pipe(
          Effect.provide(conformanceHost({ host_sync_string: () => Effect.die(bug) }))
        )
        const other = yield* start(guest.never())
        const exit = yield* Effect.exit(guest.via_host_sync_string({ text: "" }))
        assert.strictEqual(Exit.isFailure(exit) && GuestError.reasonOf(exit)?._tag, "HostFunctionFailed")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(other)))
        assert.strictEqual(yield* guest.early(), 42)
      }).pipe(Effect.scoped, Effect.provide(executor))
    )

    it.live("whose policy's schedule throws is given up", () =>
      Effect.gen(function* () {
        const replace = Schedule.fromStep<unknown, number, never, never, never, never>(
          Effect.succeed(() => {
            throw new Error("a bug")
          })
        )
        const guest = yield* Conformance.make({ module: conformanceModule, supervisor: { replace } }).pipe(
          Effect.provide(conformanceHost())
        )
        yield* panic(guest)
        assert.strictEqual((yield* Effect.flip(guest.early())).reason._tag, "GaveUp")
      }).pipe(Effect.scoped, Effect.provide(executor))
    )

    it.live("is given up once, also when its replacement for wear fails after it died", () =>
      Effect.gen(function* () {
        const preparing = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        const guest = yield* Conformance.make({
          module: conformanceModule,
          supervisor: { recycle: { calls: 1 }, replace: Schedule.recurs(0) },
          onReplace: () =>
            Deferred.succeed(preparing, undefined).pipe(
              Effect.andThen(Deferred.await(go)),
              Effect.andThen(Effect.fail("not now"))
            )
        }).pipe(Effect.provide(conformanceHost()))
        const events = yield* eventsOf(guest)
        yield* guest.early()
        yield* Deferred.await(preparing)
        yield* panic(guest)
        yield* Deferred.succeed(go, undefined)
        yield* eventually(() =>
          assert.include(
            events.map(({ _tag }) => _tag),
            "GaveUp"
          )
        )
        yield* Effect.repeat(turn, { times: 50 })
        assert.deepStrictEqual(
          events.map(({ _tag }) => _tag),
          ["Died", "ReplacementFailed", "GaveUp"]
        )
      }).pipe(Effect.scoped, Effect.provide(executor))
    )

    it.live("tells of an onReplace that fails with what has no text", () =>
      Effect.gen(function* () {
        let attempts = 0
        const guest = yield* Conformance.make({
          module: conformanceModule,
          supervisor: {},
          onReplace: () => (attempts++ === 0 ? Effect.fail(Object.create(null)) : Effect.void)
        }).pipe(Effect.provide(conformanceHost()))
        const events = yield* eventsOf(guest)
        yield* panic(guest)
        assert.strictEqual(yield* guest.early(), 42)
        yield* eventually(() =>
          assert.include(
            events.map(({ _tag }) => _tag),
            "Replaced"
          )
        )
        const failed = events.find((event) => event._tag === "ReplacementFailed")
        assert.strictEqual(failed?.reason._tag, "OnReplaceFailed")
      }).pipe(Effect.scoped, Effect.provide(executor))
    )

    it.live("whose onReplace calls the plugin itself and waits for room tells it when the old instance dies", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const preparing = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        const self: { guest?: Conformance["Service"] } = {}
        self.guest = yield* Conformance.make({
          module: conformanceModule,
          supervisor: { recycle: { calls: 1 } },
          onReplace: () =>
            Deferred.succeed(preparing, undefined).pipe(
              Effect.andThen(Deferred.await(go)),
              Effect.andThen(Effect.ignore(Effect.suspend(() => self.guest!.early())))
            )
        }).pipe(Effect.provide(conformanceHost({ host_void: () => Deferred.await(gate) })))
        yield* self.guest.early()
        yield* Deferred.await(preparing)
        const dies = yield* start(self.guest.panic_after_await({ message: "", logged: false }))
        const waits = yield* start(self.guest.early())
        yield* Deferred.succeed(go, undefined)
        yield* Effect.repeat(turn, { times: 50 })
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.await(dies)
        assert.strictEqual(yield* Fiber.join(waits), 42)
      }).pipe(
        Effect.scoped,
        Effect.provide(
          executor === onThread
            ? Layer.orDie(NodeGuestThread.layer({ concurrency: 1 }))
            : GuestExecutor.layer({ concurrency: 1 })
        )
      )
    )

    it.live("keeps the deadline of a call that its onReplace left behind", () =>
      Effect.gen(function* () {
        const called = yield* Deferred.make<Fiber.Fiber<void, GuestError.GuestError>>()
        const guest = yield* Conformance.make({
          module: conformanceModule,
          supervisor: {},
          onReplace: (replacement) =>
            Effect.flatMap(
              Effect.forkDetach(GuestCall.withDeadline(replacement.never(), "100 millis"), { startImmediately: true }),
              (call) => Deferred.succeed(called, call)
            )
        }).pipe(Effect.provide(conformanceHost()))
        yield* panic(guest)
        assert.strictEqual(yield* guest.early(), 42)
        const { reason } = yield* Effect.flip(Fiber.join(yield* Deferred.await(called)))
        assert.strictEqual(reason._tag, "DeadlineExceeded")
      }).pipe(Effect.scoped, Effect.provide(executor))
    )
  })
}

describe("a guest on a thread", () => {
  it.live("that its onReplace left on the stack ends with its thread, and is replaced", () => {
    let attempts = 0
    return Effect.gen(function* () {
      const guest = yield* Conformance.make({
        module: conformanceModule,
        supervisor: {},
        onReplace: (replacement) =>
          attempts++ === 0
            ? Effect.ignore(GuestCall.withDeadline(replacement.spin_forever(), "50 millis"))
            : Effect.void
      }).pipe(Effect.provide(conformanceHost()))
      const events = yield* eventsOf(guest)
      yield* panic(guest)
      yield* eventually(() =>
        assert.include(
          events.map(({ _tag }) => _tag),
          "Terminated"
        )
      )
      yield* eventually(() => assert.strictEqual(events.filter(({ _tag }) => _tag === "Replaced").length, 2))
      assert.strictEqual(yield* guest.early(), 42)
    }).pipe(Effect.scoped, Effect.provide(onThread))
  })

  it.live("whose thread is lost before its supervisor is there is replaced", () => {
    const threads = recordedThreads()
    return Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const step = yield* Schedule.toStep(Schedule.recurs(5))
      const replace = Schedule.fromStep(
        Effect.as(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(go)), step)
      )
      const making = yield* start(
        Conformance.make({ module: conformanceModule, supervisor: { replace } }).pipe(Effect.provide(conformanceHost()))
      )
      yield* Deferred.await(begun)
      threads.sabotage("guests#0", { exit: 3 })
      yield* eventually(() => assert.isDefined(threads.started[0]!.exit))
      yield* Effect.repeat(turn, { times: 50 })
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual(yield* (yield* Fiber.join(making)).early(), 42)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provide(GuestThread.layer({ program: threads.program }), threads.layer))
    )
  })

  it.live("that is loaded too late says that no time was left", () =>
    Effect.gen(function* () {
      const late = Effect.andThen(Effect.sleep(200), Conformance.make({ module: conformanceModule })).pipe(
        GuestCall.withDeadline(50),
        Effect.provide(conformanceHost())
      )
      const { reason } = yield* Effect.flip(late)
      assert.deepInclude(reason, { _tag: "DeadlineExceeded", waiting: 0 })
    }).pipe(Effect.scoped, Effect.provide(onThread))
  )
})
