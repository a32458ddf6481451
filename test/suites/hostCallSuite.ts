import { assert, describe, layer } from "@effect/vitest"
import { GuestError, GuestExecutor, GuestLog, Plugin } from "@fiberhost/wasm-host"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, References, Scope } from "effect"
import { Conformance, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { Failed, type Interrupted } from "../fixtures/conformanceTypes.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { uncaught } from "../fixtures/uncaught.ts"

type Host = Required<NonNullable<Parameters<typeof hostOf>[0]>>

/** Host functions that fail, refuse, wait or call back, and what guest and caller see of it. */
export const hostCallSuite = ({ conformance, executor, name, syncHostFunctions, synchronousTwins }: Topology) =>
  layer(Layer.merge(executor(), conformance))(`host calls of a guest ${name}`, (it) => {
    const guestOf = (host: Partial<Host>) =>
      Effect.provide(Conformance.make({ module: conformanceModule }), hostOf(host))
    const mustFinish = syncHostFunctions === "must finish"
    /** The call fails for what its host function did, and a call beside it still answers. */
    const failsAlone = Effect.fn(function* (
      guest: Conformance["Service"],
      call: Effect.Effect<unknown, GuestError.GuestError | Failed | Interrupted>,
      expected: string
    ) {
      const neighbour = yield* Effect.forkChild(guest.wait_signal(), { startImmediately: true })
      const error = yield* Effect.flip(call)
      assert.strictEqual(error._tag, "GuestError")
      if (error._tag !== "GuestError") return error
      assert.strictEqual(error.reason._tag, "HostFunctionFailed")
      if (error.reason._tag === "HostFunctionFailed") assert.strictEqual(error.reason.error.reason._tag, expected)
      yield* guest.send_signal({ value: 5 })
      assert.strictEqual(yield* Fiber.join(neighbour), 5)
      return error
    })
    /** A sync function without an Err to give: the instance is dead, and everybody hears whose fault it was. */
    const kills = Effect.fn(function* (
      guest: Conformance["Service"],
      call: Effect.Effect<unknown, GuestError.GuestError>,
      expected: string
    ) {
      const neighbour = yield* Effect.forkChild(guest.wait_signal(), { startImmediately: true })
      const { reason } = yield* Effect.flip(call)
      assert.strictEqual(reason._tag, "HostFunctionFailed")
      if (reason._tag === "HostFunctionFailed") assert.strictEqual(reason.error.reason._tag, expected)
      for (const other of [Fiber.join(neighbour), guest.early()]) {
        const error = yield* Effect.flip(other)
        assert.strictEqual(error.reason._tag, "Poisoned")
        assert.match(error.message, /via_host_sync_string/)
      }
    })

    describe("an async host function without an Err for it", () => {
      const faults: ReadonlyArray<readonly [what: string, host: Host["host_echo"], reason: string]> = [
        ["dies", () => Effect.die(new TypeError("a bug")), "Defect"],
        ["dies later", () => Effect.andThen(Effect.yieldNow, Effect.die("a bug")), "Defect"],
        [
          "throws instead of answering an Effect",
          () => {
            throw new TypeError("a bug")
          },
          "Defect"
        ],
        ["interrupts itself", () => Effect.interrupt, "Interrupted"],
        ["interrupts itself later", () => Effect.andThen(Effect.yieldNow, Effect.interrupt), "Interrupted"],
        ["answers what its schema refuses", () => Effect.succeed("\ud800"), "AnswerRefused"],
        ["answers another type", () => Effect.sync(() => JSON.parse("7")), "AnswerRefused"],
        ["answers more than 16 MiB", () => Effect.succeed("x".repeat(2 ** 24)), "AnswerRefused"]
      ]
      it.effect.each(faults)("%s: its call fails, the guest goes on", ([, host_echo, reason]) =>
        Effect.gen(function* () {
          const guest = yield* guestOf({ host_echo })
          const error = yield* failsAlone(guest, guest.via_host_echo({ text: "x" }), reason)
          assert.include(error.message, `host function "host_echo"`)
          yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 1))
        })
      )
    })

    describe("an async host function with an Err for it", () => {
      const faults: ReadonlyArray<readonly [what: string, host: Host["host_try"]]> = [
        ["dies", () => Effect.die("a bug")],
        ["dies later", () => Effect.andThen(Effect.yieldNow, Effect.die("a bug"))],
        ["interrupts itself", () => Effect.interrupt],
        ["answers what its schema refuses", () => Effect.succeed(-1)]
      ]
      it.effect.each(faults)("%s: the guest gets the Err, and goes on", ([, host_try]) =>
        Effect.gen(function* () {
          const guest = yield* guestOf({ host_try })
          assert.strictEqual((yield* Effect.flip(guest.via_host_try({ id: 1 })))._tag, "Interrupted")
          assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 0)
        }).pipe(Effect.provide(silent))
      )
      it.effect("a defect behind the Err is logged", () =>
        Effect.gen(function* () {
          const lines: Array<string> = []
          const logger = Logger.make(({ message }) => void lines.push(String(message)))
          const guest = yield* guestOf({ host_try: () => Effect.die(new Error("the bug")) })
          yield* Effect.flip(guest.via_host_try({ id: 1 })).pipe(Effect.provide(Logger.layer([logger])))
          assert.match(lines.join("\n"), /host_try.*the bug/)
        })
      )
    })

    describe("a sync host function", () => {
      const faults: ReadonlyArray<
        readonly [what: string, host: Host["host_sync_string"] & Host["host_sync_result"], reason: string]
      > = [
        ["dies", () => Effect.die(new TypeError("a bug")), "Defect"],
        [
          "throws instead of answering an Effect",
          () => {
            throw new TypeError("a bug")
          },
          "Defect"
        ],
        ["interrupts itself", () => Effect.interrupt, "Interrupted"],
        ["answers what its schema refuses", () => Effect.succeed("\udc00"), "AnswerRefused"],
        ["answers more than 16 MiB", () => Effect.succeed("x".repeat(2 ** 24)), "AnswerRefused"],
        ...(mustFinish
          ? ([["does not finish", () => Effect.never, "Unfinished"]] as const)
          : ([
              ["dies later", () => Effect.andThen(turn, Effect.die("a bug")), "Defect"],
              ["interrupts itself later", () => Effect.andThen(turn, Effect.interrupt), "Interrupted"],
              ["answers later what its schema refuses", () => Effect.as(turn, "\udc00"), "AnswerRefused"]
            ] as const))
      ]
      it.effect.each(faults)("%s: without an Err, the instance is dead", ([, host_sync_string, reason]) =>
        Effect.gen(function* () {
          const guest = yield* guestOf({ host_sync_string })
          yield* kills(guest, guest.via_host_sync_string({ text: "x" }), reason)
        })
      )
      it.effect.each(faults)("%s: with an Err, the guest gets it and goes on", ([, host_sync_result]) =>
        Effect.gen(function* () {
          const guest = yield* guestOf({ host_sync_result })
          assert.strictEqual((yield* Effect.flip(guest.via_host_sync_result({ text: "x" })))._tag, "Interrupted")
          assert.strictEqual(yield* guest.early(), 42)
        }).pipe(Effect.provide(silent))
      )
      it.effect.skipIf(mustFinish)(
        "may take its time: the guest gets its answer, and other guests' callers theirs",
        () =>
          Effect.gen(function* () {
            const release = yield* Deferred.make<void>()
            const guest = yield* guestOf({
              host_sync_string: ({ text }) => Effect.as(Deferred.await(release), `${text}, later`)
            })
            const call = yield* Effect.forkChild(guest.via_host_sync_string({ text: "x" }), { startImmediately: true })
            const behind = yield* Effect.forkChild(guest.early(), { startImmediately: true })
            const elsewhere = yield* Effect.provide(
              Effect.flatMap(guestOf({}), (guest) => guest.echo_u32({ value: 7 })),
              executor()
            )
            assert.strictEqual(elsewhere, 7)
            assert.isUndefined(call.pollUnsafe())
            assert.isUndefined(behind.pollUnsafe())
            yield* Deferred.succeed(release, undefined)
            assert.strictEqual(yield* Fiber.join(call), "x, later")
            assert.strictEqual(yield* Fiber.join(behind), 42)
          })
      )
      it.effect.skipIf(mustFinish)("that waits is interrupted with its caller, which is the end of the instance", () =>
        Effect.gen(function* () {
          const events: Array<string> = []
          const guest = yield* guestOf({
            host_sync_string: () =>
              Effect.suspend(() => {
                events.push("started")
                return Effect.never
              }).pipe(Effect.onInterrupt(() => Effect.sync(() => events.push("interrupted"))))
          })
          const call = yield* Effect.forkChild(guest.via_host_sync_string({ text: "x" }), { startImmediately: true })
          yield* eventually(() => assert.deepStrictEqual(events, ["started"]))
          yield* Fiber.interrupt(call)
          assert.match((yield* Effect.flip(guest.early())).message, /via_host_sync_string killed it.*interrupted/)
          assert.deepStrictEqual(events, ["started", "interrupted"])
        })
      )
      it.effect.skipIf(mustFinish)(
        "that waits is interrupted with its caller, and an Err for it lets the guest go on",
        () =>
          Effect.gen(function* () {
            const events: Array<string> = []
            const guest = yield* guestOf({
              host_sync_result: () =>
                Effect.suspend(() => {
                  events.push("started")
                  return Effect.never
                })
            })
            const call = yield* Effect.forkChild(guest.via_host_sync_result({ text: "x" }), { startImmediately: true })
            yield* eventually(() => assert.deepStrictEqual(events, ["started"]))
            yield* Fiber.interrupt(call)
            assert.strictEqual(yield* guest.early(), 42)
          })
      )
      it.effect.skipIf(mustFinish)("that is called when its caller has left is interrupted, and blocks nobody", () =>
        Effect.gen(function* () {
          const events: Array<string> = []
          const guest = yield* guestOf({
            host_sync_result: () =>
              Effect.onInterrupt(Effect.never, () => Effect.sync(() => events.push("interrupted")))
          })
          const call = yield* Effect.forkChild(guest.via_host_sync_result({ text: "x" }), { startImmediately: true })
          yield* Fiber.interrupt(call)
          assert.strictEqual(yield* guest.early(), 42)
          assert.deepStrictEqual(events, ["interrupted"])
        })
      )
      it.effect.skipIf(mustFinish)("that interrupts its caller and then waits is interrupted, and blocks nobody", () =>
        Effect.gen(function* () {
          let caller: Fiber.Fiber<unknown, unknown> | undefined
          const guest = yield* guestOf({
            host_sync_result: () =>
              Effect.andThen(
                Effect.sync(() => caller?.interruptUnsafe()),
                Effect.never
              )
          })
          caller = yield* Effect.forkChild(guest.via_host_sync_result({ text: "x" }))
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
          assert.strictEqual(yield* guest.early(), 42)
        })
      )
      it.effect.skipIf(!mustFinish)("without a result that fails is the end of the instance", () =>
        Effect.gen(function* () {
          const guest = yield* guestOf({ log: () => Effect.die(new Error("no disk")) })
          const { reason } = yield* Effect.flip(guest.log_lines({ count: 1 }))
          assert.strictEqual(reason._tag, "HostFunctionFailed")
          assert.strictEqual((yield* Effect.flip(guest.early())).reason._tag, "Poisoned")
        })
      )
      it.effect.skipIf(mustFinish)("without a result that fails is logged, and the guest goes on", () =>
        Effect.gen(function* () {
          const lines: Array<string> = []
          const logger = Logger.make(({ message }) => void lines.push(String(message)))
          const guest = yield* guestOf({ log: ({ message }) => Effect.die(new Error(`no disk for ${message}`)) })
          // More of them than a guest may call in a row without waiting for one.
          yield* Effect.provide(guest.log_lines({ count: 1000 }), Logger.layer([logger]))
          assert.strictEqual(yield* guest.early(), 42)
          assert.strictEqual(lines.length, 1000)
          for (const [i, line] of lines.entries()) assert.match(line, new RegExp(`"log".*no disk for line ${i}$`))
        })
      )
      it.effect.skipIf(!mustFinish)(
        "that does not finish is told what to do, is interrupted, and close waits for it",
        () =>
          Effect.gen(function* () {
            const release = yield* Deferred.make<void>()
            const ended = yield* Deferred.make<void>()
            const closed = yield* Effect.forkChild(
              Effect.scoped(
                Effect.gen(function* () {
                  const guest = yield* guestOf({
                    host_sync_string: () =>
                      Effect.onInterrupt(Effect.never, () =>
                        Effect.andThen(Deferred.succeed(ended, undefined), Deferred.await(release))
                      )
                  })
                  const error = yield* Effect.flip(guest.via_host_sync_string({ text: "x" }))
                  assert.match(error.message, /did not finish synchronously.*declare the function async/s)
                })
              ),
              { startImmediately: true }
            )
            yield* Deferred.await(ended)
            yield* Effect.repeat(Effect.yieldNow, { times: 10 })
            assert.isUndefined(closed.pollUnsafe())
            yield* Deferred.succeed(release, undefined)
            assert.isTrue(Exit.isSuccess(yield* Fiber.await(closed)))
          })
      )
    })

    describe("a host function that calls its own guest", () => {
      it.effect("waits its turn when it is async", () =>
        Effect.gen(function* () {
          const self: { guest?: Conformance["Service"] } = {}
          self.guest = yield* guestOf({
            host_echo: ({ text }) => Effect.orDie(self.guest!.echo_string({ value: `${text}!` }))
          })
          assert.strictEqual(yield* self.guest.via_host_echo({ text: "again" }), "again!")
        })
      )
      const ways: ReadonlyArray<readonly [how: string, way: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E>]> =
        [
          ["directly", (call) => call],
          [
            "from a fiber of its own",
            (call) => Effect.flatMap(Effect.forkChild(call, { startImmediately: true }), Fiber.join)
          ]
        ]
      it.effect.each(ways)("would deadlock when it is sync, %s, and is told so", ([, way]) =>
        Effect.gen(function* () {
          const self: { guest?: Conformance["Service"]; error?: GuestError.GuestError } = {}
          self.guest = yield* guestOf({
            host_sync_result: ({ text }) =>
              way(self.guest!.echo_string({ value: text })).pipe(
                Effect.catch((error) => {
                  self.error = error
                  return Effect.fail(new Failed({ message: "refused" }))
                })
              )
          })
          yield* Effect.flip(self.guest.via_host_sync_result({ text: "x" }))
          assert.strictEqual(self.error?.reason._tag, "WouldDeadlock")
          assert.match(self.error!.message, /host_sync_result/)
        }).pipe(Effect.provide(silent))
      )
      it.effect("would deadlock when it is sync, by way of another guest, and is told so", () =>
        Effect.gen(function* () {
          const self: {
            first?: Conformance["Service"]
            second?: Conformance["Service"]
            error?: GuestError.GuestError
          } = {}
          // Of an executor, and so of a thread, of its own.
          const elsewhere = yield* Layer.build(executor())
          const second = guestOf({
            host_echo: ({ text }) =>
              self.first!.echo_string({ value: text }).pipe(
                Effect.catch((error) => {
                  self.error = error
                  return Effect.succeed("refused")
                })
              )
          })
          self.second = yield* Effect.provide(second, elsewhere)
          self.first = yield* guestOf({
            host_sync_string: ({ text }) => Effect.orDie(self.second!.via_host_echo({ text }))
          })
          assert.strictEqual(yield* self.first.via_host_sync_string({ text: "x" }), "refused")
          assert.strictEqual(self.error?.reason._tag, "WouldDeadlock")
        })
      )
    })

    it.effect.skipIf(synchronousTwins === "answer")("a synchronous twin is refused, and the call is not made", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({})
        const waiter = yield* Effect.forkChild(guest.wait_signal(), { startImmediately: true })
        assert.strictEqual(yield* guest.early(), 42)
        assert.throws(() => guest.send_signalUnsafe({ value: 1 }), /on another thread/)
        assert.strictEqual(yield* guest.send_signal({ value: 5 }), 1)
        assert.strictEqual(yield* Fiber.join(waiter), 5)
      })
    )

    it.effect.skipIf(synchronousTwins === "are busy")("a synchronous twin answers at once or not at all", () =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const self: { guest?: Conformance["Service"] } = {}
        self.guest = yield* guestOf({
          host_echo: ({ text }) =>
            Effect.sync(() => {
              try {
                self.guest!.send_signalUnsafe({ value: 1 })
              } catch (error) {
                seen.push(error)
              }
              return text
            })
        })
        assert.strictEqual(self.guest.echo_u32Unsafe({ value: 7 }), 7)
        assert.throws(() => self.guest!.divideUnsafe({ a: 1, b: 0 }), /division by zero/)
        const waiter = yield* Effect.forkChild(self.guest.wait_signal(), { startImmediately: true })
        assert.strictEqual(yield* self.guest.via_host_echo({ text: "x" }), "x")
        const [error] = seen
        assert.instanceOf(error, GuestError.GuestError)
        assert.strictEqual(error.reason._tag, "Busy")
        // The call that was refused is not made later.
        assert.isUndefined(waiter.pollUnsafe())
        assert.strictEqual(yield* self.guest.send_signal({ value: 5 }), 1)
        assert.strictEqual(yield* Fiber.join(waiter), 5)
      })
    )

    it.effect.skipIf(synchronousTwins === "are busy")(
      "a synchronous twin answers also where a call's answer has just arrived",
      () =>
        Effect.gen(function* () {
          const guest = yield* guestOf({})
          yield* guest.via_host_echo({ text: "x" })
          assert.strictEqual(guest.via_host_u32Unsafe({ value: 3 }), 3)
        })
    )

    it.effect("a fiber that calls without end lets others run", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({})
        const other = { turns: 0 }
        yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => other.turns++)
            )
          )
        )
        yield* guest.via_host_echo({ text: "x" })
        const before = other.turns
        for (let i = 0; i < 20_000; i++) yield* guest.echo_u32({ value: i })
        assert.isAbove(other.turns, before)
      })
    )

    it.effect("an observer of one caller that throws does not keep others from their answers", () =>
      Effect.gen(function* () {
        const thrown = yield* uncaught
        const guest = yield* guestOf({})
        Effect.runCallback(guest.via_host_echo({ text: "x" }), {
          onExit: () => {
            throw new Error("the application's own")
          }
        })
        assert.strictEqual(yield* guest.via_host_echo({ text: "y" }), "y")
        assert.strictEqual(yield* guest.echo_u32({ value: 7 }), 7)
        // Over threads of a pool the first call may be answered last.
        yield* eventually(() => assert.deepStrictEqual(thrown, ["Error: the application's own"]))
      })
    )

    it.effect("what a finished sync host function left running may call the guest", () =>
      Effect.gen(function* () {
        const self: { guest?: Conformance["Service"]; fiber?: Fiber.Fiber<number, GuestError.GuestError> } = {}
        self.guest = yield* guestOf({
          host_sync_string: ({ text }) =>
            Effect.map(
              Effect.forkDetach(
                Effect.andThen(
                  Effect.yieldNow,
                  Effect.suspend(() => self.guest!.echo_u32({ value: 7 }))
                )
              ),
              (fiber) => {
                self.fiber = fiber
                return text
              }
            )
        })
        assert.strictEqual(yield* self.guest.via_host_sync_string({ text: "x" }), "x")
        assert.strictEqual(yield* Fiber.join(self.fiber!), 7)
      })
    )

    describe("closing", () => {
      it.effect("settles calls, interrupts host functions, and waits for their finalizers", () =>
        Effect.gen(function* () {
          const events: Array<string> = []
          const started = yield* Deferred.make<void>()
          const call = yield* Effect.scoped(
            Effect.gen(function* () {
              const guest = yield* guestOf({
                host_echo: () =>
                  Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
                    Effect.onInterrupt(() =>
                      Effect.andThen(
                        Effect.yieldNow,
                        Effect.sync(() => events.push("finalized"))
                      )
                    )
                  )
              })
              const call = yield* Effect.forkDetach(Effect.flip(guest.via_host_echo({ text: "x" })), {
                startImmediately: true
              })
              yield* Deferred.await(started)
              return call
            })
          )
          events.push("closed")
          const error = yield* Fiber.join(call)
          assert.strictEqual(error.reason._tag, "Closed")
          assert.deepStrictEqual(events, ["finalized", "closed"])
        })
      )
      it.effect("by a host function of the guest itself, async or sync, does not wait for itself", () =>
        Effect.gen(function* () {
          for (const way of ["via_host_echo", "via_host_sync_string"] as const) {
            const scope = yield* Scope.make()
            const close = ({ text }: { readonly text: string }) => Effect.as(Scope.close(scope, Exit.void), text)
            const guest = yield* Effect.provideService(
              guestOf({ host_echo: close, host_sync_string: close }),
              Scope.Scope,
              scope
            )
            const error = yield* Effect.flip(guest[way]({ text: "x" }))
            assert.strictEqual(error.reason._tag, "Closed")
            assert.strictEqual((yield* Effect.flip(guest.early())).reason._tag, "Closed")
          }
        })
      )
      it.effect("by a fiber that a host function of the guest waits for does not wait for itself", () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const close = Effect.uninterruptible(Scope.close(scope, Exit.void))
          const guest = yield* Effect.provideService(
            guestOf({
              host_echo: ({ text }) => Effect.as(Effect.flatMap(Effect.forkChild(close), Fiber.join), text)
            }),
            Scope.Scope,
            scope
          )
          assert.strictEqual((yield* Effect.flip(guest.via_host_echo({ text: "x" }))).reason._tag, "Closed")
          yield* Scope.close(scope, Exit.void)
          yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 0))
        })
      )
      it.effect("a closed guest runs no more host functions, whatever it was told of the close", () =>
        Effect.gen(function* () {
          const started: Array<string> = []
          const call = yield* Effect.scoped(
            Effect.gen(function* () {
              const guest = yield* guestOf({
                log: ({ message }) => Effect.sync(() => started.push(message)),
                host_try: ({ id }) =>
                  Effect.suspend(() => {
                    started.push(`try ${id}`)
                    return Effect.never
                  })
              })
              // Told of an interruption, it would log.
              const call = yield* Effect.forkDetach(Effect.flip(guest.cleanup({ id: 1 })), { startImmediately: true })
              yield* eventually(() => assert.deepStrictEqual(started, ["try 1"]))
              return call
            })
          )
          const error = yield* Fiber.join(call)
          assert.strictEqual(error._tag === "GuestError" && error.reason._tag, "Closed")
          yield* Effect.repeat(turn, { times: 20 })
          assert.deepStrictEqual(started, ["try 1"])
        })
      )
      it.effect("an executor refuses what is loaded after it, or while it compiles", () =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(executor(), scope)
          const load = Effect.provide(guestOf({}), context)
          const loading = yield* Effect.forkChild(Effect.flip(load), { startImmediately: true })
          yield* Scope.close(scope, Exit.void)
          for (const attempt of [Fiber.join(loading), Effect.flip(load)]) {
            assert.strictEqual((yield* attempt).reason._tag, "Closed")
          }
        })
      )
      it.effect("a guest's executor closes it, also when its own scope goes on", () =>
        Effect.gen(function* () {
          const guest = yield* Effect.flatMap(Effect.scope, (outer) =>
            Effect.scoped(
              Effect.gen(function* () {
                const context = yield* Layer.build(executor())
                return yield* guestOf({}).pipe(Effect.provide(context), Effect.provideService(Scope.Scope, outer))
              })
            )
          )
          assert.strictEqual((yield* Effect.flip(guest.early())).reason._tag, "Closed")
        })
      )
      it.effect("a drained executor finishes what is in and takes nothing new", () =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const guest = yield* guestOf({ host_echo: ({ text }) => Effect.as(Deferred.await(gate), text) })
          const call = yield* Effect.forkChild(guest.via_host_echo({ text: "in" }), { startImmediately: true })
          const { drain } = yield* GuestExecutor.GuestExecutor
          const drained = yield* Effect.forkChild(drain, { startImmediately: true })
          assert.strictEqual((yield* Effect.flip(guest.early())).reason._tag, "Closed")
          assert.isUndefined(drained.pollUnsafe())
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual(yield* Fiber.join(call), "in")
          yield* Fiber.join(drained)
        }).pipe(Effect.provide(executor()))
      )
    })

    describe("the guest's log", () => {
      it.effect("reaches the application's loggers, with the plugin and the guest function", () =>
        Effect.gen(function* () {
          const lines: Array<readonly [level: string, message: string, annotations: unknown]> = []
          const logger = Logger.make(({ fiber, logLevel, message }) => {
            lines.push([logLevel, String(message), fiber.getRef(References.CurrentLogAnnotations)])
          })
          const guest = yield* guestOf({ log: GuestLog.warn })
          yield* guest
            .log_lines({ count: 2 })
            .pipe(Effect.annotateLogs("request", 7), Effect.provide(Logger.layer([logger])))
          const annotations = { request: 7, plugin: "conformance/Conformance", guestFunction: "log_lines" }
          assert.deepStrictEqual(lines, [
            ["Warn", "line 0", annotations],
            ["Warn", "line 1", annotations]
          ])
        })
      )
      it.effect("a panic before or after an await is a trap that tells what was logged, if anything was", () =>
        Effect.gen(function* () {
          for (const call of ["panic_before_await", "panic_after_await", "panic_sync"] as const) {
            for (const logged of [true, false]) {
              const guest = yield* guestOf({})
              const neighbour = yield* Effect.forkChild(guest.wait_signal(), { startImmediately: true })
              const error = yield* Effect.flip(guest[call]({ message: "no more beans", logged }))
              assert.strictEqual(error.reason._tag, "Trapped")
              if (logged) assert.match(error.message, /no more beans/)
              else assert.notMatch(error.message, /no more beans/)
              const poisoned = yield* Effect.flip(Fiber.join(neighbour))
              assert.match(poisoned.message, new RegExp(`the call of ${call} killed it`))
            }
          }
        })
      )
    })

    describe("values that a guest is not entered with", () => {
      it.effect("are refused with the path to the part at fault, and the guest answers the next call", () =>
        Effect.gen(function* () {
          const guest = yield* guestOf({})
          const untyped: (call: string, payload: unknown) => Effect.Effect<unknown, GuestError.GuestError> = (
            call,
            payload
          ) => Reflect.get(guest, call)(payload)
          const everything = yield* guest.everything()
          const bad: ReadonlyArray<readonly [call: string, payload: unknown, reason: string, path: string]> = [
            ["echo_u8", { value: 256 }, "ValueRefused", "value"],
            ["echo_u8", { value: "1" }, "ValueRefused", "value"],
            ["echo_u8", {}, "ValueRefused", "value"],
            ["echo_u8", undefined, "ValueRefused", "value"],
            ["echo_u64", { value: 1 }, "ValueRefused", "value"],
            ["echo_string", { value: "\ud800" }, "ValueRefused", "value"],
            ["echo_list_point", { value: [{ x: 1, y: 2 }, { x: 1 }] }, "ValueRefused", "value[1].y"],
            [
              "echo_everything",
              { value: { ...everything, tree: { ...everything.tree, value: -1 } } },
              "ValueRefused",
              "value.tree.value"
            ],
            ["echo_list_u8", { value: [1, 2, 300] }, "ValueRefused", "value[2]"],
            ["echo_bytes", { value: new Uint8Array(2 ** 24) }, "ValueTooLarge", "value"]
          ]
          for (const [call, payload, reason, path] of bad) {
            const error = yield* Effect.flip(untyped(call, payload))
            assert.strictEqual(error.reason._tag, reason, `${call}: ${error.message}`)
            if ("path" in error.reason) assert.strictEqual(error.reason.path, path)
            assert.strictEqual(yield* guest.echo_u8({ value: 255 }), 255)
          }
        })
      )
    })

    describe("memory", () => {
      it.effect("that grows while a call waits, or inside it", () =>
        Effect.gen(function* () {
          const guest = yield* guestOf({})
          const text = "é".repeat(10_000)
          assert.isTrue((yield* guest.grow_between({ text, mib: 16 })) === text)
          assert.isTrue((yield* guest.grow_sync({ text, mib: 16 })) === text)
        })
      )
      it.effect("above 2 GiB, where fat pointers are negative", () =>
        Effect.gen(function* () {
          const guest = yield* guestOf({})
          assert.isAbove(yield* guest.grow({ mib: 2100 }), 2100 * 16)
          assert.strictEqual(yield* guest.via_host_echo({ text: "high" }), "high")
          const everything = yield* guest.everything()
          assert.deepStrictEqual(yield* guest.echo_everything_async({ value: everything }), everything)
        })
      )
      it.effect("that is used up: calls that need some fail, others answer", () =>
        Effect.gen(function* () {
          const guest = yield* guestOf({})
          yield* guest.exhaust()
          assert.strictEqual((yield* Effect.flip(guest.echo_string({ value: "x" }))).reason._tag, "OutOfMemory")
          assert.strictEqual(yield* guest.echo_u32({ value: 7 }), 7)
        })
      )
    })
  })

/** Logs of what a test provokes on purpose. */
const silent = Logger.layer([])
