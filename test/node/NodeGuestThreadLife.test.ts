import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Connection, type Thread, Wire } from "@fiberhost/core"
import { NodeGuestThread, NodeHostPool } from "@fiberhost/node"
import { GuestError, GuestExecutor, GuestLog, GuestThread, Plugin, type Supervisor } from "@fiberhost/wasm-host"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, References, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import {
  Conformance,
  ConformanceHost,
  ConformancePool,
  conformanceHost,
  conformanceModule,
  hostOf
} from "../fixtures/conformance.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { reasonOf } from "../fixtures/reasonOf.ts"
import { recordedThreads } from "../fixtures/recordedThreads.ts"
import { Curt, CurtImports, compile, data, plugin, Wat, WatImports, WatPool } from "../fixtures/wat.ts"

type Replaced = Parameters<typeof conformanceHost>[0]
type Guest = Conformance["Service"]

const guestOf = (replaced: Replaced = {}, supervisor?: Supervisor.Policy) =>
  Effect.provide(Conformance.make({ module: conformanceModule, supervisor }), conformanceHost(replaced))

/** Starts a call now. */
const start = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.forkChild(call, { startImmediately: true })

/** Guests in a scope of the test's own, over threads that it can look at and end. */
const life = Effect.fn(function* (options: Omit<GuestThread.Options, "program"> & NodeGuestThread.Options = {}) {
  const threads = recordedThreads(options)
  const scope = yield* Scope.fork(yield* Effect.scope)
  const executor = yield* GuestThread.layer({ ...options, program: threads.program }).pipe(
    Layer.provide(threads.layer),
    Layer.buildWithScope(scope)
  )
  return {
    ...threads,
    executor,
    close: Scope.close(scope, Exit.void),
    load: (replaced?: Replaced, supervisor?: Supervisor.Policy) =>
      Effect.provide(guestOf(replaced, supervisor), executor)
  }
})

const lossOf = (call: Effect.Effect<unknown, unknown>) =>
  Effect.map(reasonOf(call), (reason) => {
    assert.instanceOf(reason, GuestError.ThreadLost)
    return reason
  })

/** The calls that a thread is sent from now on: those of its guests, and of the thread itself. */
const callsTo = ({ port }: Thread.Thread) => {
  const calls: Array<Connection.IncomingCall> = []
  const { post } = port
  Object.assign(port, {
    post: (message: unknown, transfer: ReadonlyArray<ArrayBuffer>) => {
      if (message !== Wire.wake) read(structuredClone(message))
      post(message, transfer)
    }
  })
  const { out } = port.ringBuffers!
  const write = out.write.bind(out)
  Object.assign(out, {
    write: (bytes: Uint8Array, length: number) => {
      read(bytes.slice(0, length))
      write(bytes, length)
    }
  })
  let read: (message: unknown) => void = () => {}
  const server: Connection.Server = {
    awaitsMessage: false,
    onCall: (call) => void calls.push(call),
    onInterrupt: () => {},
    onAck: () => {},
    onSignal: () => {}
  }
  const listen = (onMessage: (message: unknown) => void) => {
    read = onMessage
  }
  new Connection.Connection({ post: () => {}, listen }, server, assert.fail)
  const stop = () => {
    read = () => {}
  }
  return { calls, stop }
}

const nothing = { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0, alive: true }
const inHand = (guest: Guest) => {
  const { memory: _, used: __, ...stats } = Plugin.stats(guest)[0]!
  return stats
}

/** Until the guest, which has not been called before, is in the entry that does not end. */
const entered = (guest: Guest) => eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.used.entries, 1))

/** Waits the grace time out, to the millisecond: `closing` does not end earlier, and then it does. */
const outlastGrace = Effect.fnUntraced(function* (closing: Fiber.Fiber<void>, grace: number) {
  const settled = Effect.repeat(turn, { times: 20 })
  yield* settled
  yield* TestClock.adjust(grace - 1)
  yield* settled
  assert.isUndefined(closing.pollUnsafe())
  yield* TestClock.adjust(1)
  yield* Fiber.join(closing)
})

describe("guests over two threads", () => {
  it.live("are spread evenly, and one that does not return holds up its thread only", () =>
    Effect.gen(function* () {
      const { close, load } = yield* life({ threads: 2, grace: "100 millis" })
      const guests = yield* Effect.replicateEffect(load(), 4)
      const spinning = yield* start(reasonOf(guests[0]!.spin_forever()))
      const behind = yield* start(reasonOf(guests[2]!.early()))
      // Those of the other thread answer, and the application goes on.
      let turns = 0
      yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            turn,
            Effect.sync(() => turns++)
          )
        )
      )
      for (let value = 0; value < 200; value++) {
        assert.strictEqual(yield* guests[1]!.echo_u32({ value }), value)
        assert.strictEqual(yield* guests[3]!.via_host_u64({ value: BigInt(value) }), BigInt(value))
      }
      yield* eventually(() => assert.isAbove(turns, 100))
      assert.isUndefined(spinning.pollUnsafe())
      assert.isUndefined(behind.pollUnsafe())
      yield* close
      assert.strictEqual((yield* Fiber.join(spinning))._tag, "Closed")
      assert.strictEqual((yield* Fiber.join(behind))._tag, "Closed")
    })
  )

  it.live("share a module that is compiled once", () =>
    Effect.gen(function* () {
      const compile = WebAssembly.compile
      let compilations = 0
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          WebAssembly.compile = (bytes: BufferSource) => {
            compilations++
            return compile(bytes)
          }
        }),
        () => Effect.sync(() => Object.assign(WebAssembly, { compile }))
      )
      const { executor } = yield* life({ threads: 2 })
      const wasm = yield* Effect.promise(() =>
        readFile(new URL("../../guests/conformance/conformance.wasm", import.meta.url))
      )
      for (let i = 0; i < 2; i++) {
        const guest = yield* Conformance.make({ module: new Uint8Array(wasm) }).pipe(
          Effect.provide(Layer.succeedContext(executor)),
          Effect.provide(conformanceHost())
        )
        assert.strictEqual(yield* guest.early(), 42)
      }
      assert.strictEqual(compilations, 1)
    })
  )

  it.effect("there must be one at least", () =>
    Effect.gen(function* () {
      for (const threads of [0, 1.5]) {
        const exit = yield* Effect.exit(Layer.build(NodeGuestThread.layer({ threads })))
        assert.match(String(Exit.isFailure(exit) && exit.cause), /threads is/)
      }
    })
  )
})

describe("a sync host function that takes its time", () => {
  it.live("reads a file: its guest's thread waits, the application and other threads do not", () =>
    Effect.gen(function* () {
      const { load } = yield* life({ threads: 2 })
      const release = yield* Deferred.make<void>()
      const reader = yield* load({
        host_sync_string: ({ text }) =>
          Effect.andThen(
            Deferred.await(release),
            Effect.promise(() => readFile(text, "utf8"))
          )
      })
      const other = yield* load()
      const file = fileURLToPath(new URL("../fixtures/garbage.runner.ts", import.meta.url))
      const call = yield* start(reader.via_host_sync_string({ text: file }))
      const behind = yield* start(reader.early())
      for (let value = 0; value < 100; value++) assert.strictEqual(yield* other.echo_u32({ value }), value)
      assert.isUndefined(call.pollUnsafe())
      assert.isUndefined(behind.pollUnsafe())
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual(yield* Fiber.join(call), yield* Effect.promise(() => readFile(file, "utf8")))
      assert.strictEqual(yield* Fiber.join(behind), 42)
    })
  )

  it.live("a thousand times in one call of the guest, while guests of other threads go on", () =>
    Effect.gen(function* () {
      const { executor, load } = yield* life({ threads: 2 })
      const file = fileURLToPath(import.meta.url)
      const others = yield* Deferred.make<void>()
      let reads = 0
      const ask_sync = ({ text }: { readonly text: string }) =>
        Effect.promise(async () => {
          await readFile(file)
          reads++
        }).pipe(
          // Half-way it waits for what the others do meanwhile.
          Effect.andThen(Effect.suspend(() => (reads === 500 ? Deferred.await(others) : Effect.void))),
          Effect.as(text)
        )
      const asks = `(local $i i32) (loop $again
        (drop (call $ask_sync (i64.const ${data.hello})))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (local.get $n)))) (local.get $i)`
      const guest = yield* Wat.make({ module: compile(plugin({ number: asks })) }).pipe(
        Effect.provide(WatImports.toLayer({ ask: ({ text }) => Effect.succeed(text), ask_sync })),
        Effect.provide(executor)
      )
      const other = yield* load()
      const call = yield* start(guest.number({ n: 1000 }))
      let answered = 0
      while (call.pollUnsafe() === undefined) {
        assert.strictEqual(yield* other.echo_u32({ value: answered }), answered)
        if (++answered === 20) yield* Deferred.succeed(others, undefined)
      }
      assert.strictEqual(yield* Fiber.join(call), 1000)
      assert.strictEqual(reads, 1000)
    })
  )

  it.live("a function of a host pool answers it", () =>
    Effect.gen(function* () {
      const { executor } = yield* life()
      const program = new URL("../fixtures/conformance.worker.ts", import.meta.url)
      const pool = NodeHostPool.layer(ConformancePool, { program, size: 1 })
      const host = yield* Layer.build(Layer.provide(ConformanceHost.inPool, pool))
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(
        Effect.provide(hostOf()),
        Effect.provide(host),
        Effect.provide(executor)
      )
      const text = "é".repeat(2 ** 19)
      assert.isTrue((yield* guest.via_host_sync_string({ text })) === text)
      assert.strictEqual((yield* reasonOf(guest.reenter_sync({ depth: 1 })))._tag, "HostFunctionFailed")
    })
  )

  it.live("is lost with its host thread: the guest's call says so, and other guests of its thread go on", () =>
    Effect.gen(function* () {
      const { executor, load } = yield* life()
      const program = new URL("../fixtures/wat.mortal.worker.ts", import.meta.url)
      const host = yield* WatImports.toLayer(Effect.map(WatPool, ({ ask, ask_sync }) => ({ ask, ask_sync }))).pipe(
        Layer.provide(NodeHostPool.layer(WatPool, { program, size: 1 })),
        Layer.build
      )
      const guest = yield* Wat.make({ module: compile(plugin()) }).pipe(Effect.provide(host), Effect.provide(executor))
      const other = yield* load()
      const reason = yield* reasonOf(guest.relay_sync())
      assert.instanceOf(reason, GuestError.HostFunctionFailed)
      assert.strictEqual(reason.error.reason._tag, "ThreadLost")
      assert.strictEqual(yield* other.echo_u32({ value: 7 }), 7)
    })
  )

  it.live("may call a guest on another thread, and would deadlock with any guest of its own thread", () =>
    Effect.gen(function* () {
      const { load } = yield* life({ threads: 2 })
      const self: { elsewhere?: Guest; beside?: Guest } = {}
      const answered: Array<unknown> = []
      const caller = yield* load({
        host_sync_string: ({ text }) => {
          const callee = text === "elsewhere" ? self.elsewhere! : self.beside!
          return callee.echo_string({ value: text }).pipe(
            Effect.catch(({ reason }) => Effect.succeed(reason._tag)),
            Effect.tap((answer) => Effect.sync(() => answered.push(answer)))
          )
        }
      })
      self.elsewhere = yield* load()
      self.beside = yield* load()
      assert.strictEqual(yield* caller.via_host_sync_string({ text: "elsewhere" }), "elsewhere")
      assert.strictEqual(yield* caller.via_host_sync_string({ text: "beside" }), "WouldDeadlock")
      assert.deepStrictEqual(answered, ["elsewhere", "WouldDeadlock"])
    })
  )

  it.live("has its answer when that is there, however often its guest's thread is woken before", () =>
    Effect.gen(function* () {
      const { load, started } = yield* life()
      const shared = () =>
        Object.values(started[0]!.data as object).flatMap((value) =>
          value instanceof SharedArrayBuffer ? [new Int32Array(value, 0, 1)] : []
        )
      const guest = yield* load({
        host_sync_string: ({ text }) =>
          Effect.gen(function* () {
            for (let times = 0; times < 3; times++) {
              yield* eventually(() => assert.isTrue(shared().some((words) => Atomics.notify(words, 0) > 0)))
            }
            return text
          })
      })
      assert.strictEqual(yield* guest.via_host_sync_string({ text: "one" }), "one")
      assert.strictEqual(yield* guest.via_host_sync_string({ text: "two" }), "two")
    })
  )

  it.live("answers of any length reach the guest", () =>
    Effect.gen(function* () {
      const { load } = yield* life()
      const guest = yield* load()
      for (const length of [0, 1, 65_527, 65_528, 65_536, 1_000_000, 16_777_210, 5]) {
        const text = "x".repeat(length)
        assert.isTrue((yield* guest.via_host_sync_string({ text })) === text, `${length}`)
      }
    })
  )
})

describe("a sync host function that calls a guest while that is replaced", () => {
  const die = (guest: Guest) => Effect.exit(guest.panic_sync({ message: "no", logged: false }))

  /** A guest whose sync host function says that it has begun, waits if the test says so, and calls another guest. */
  const calling = Effect.gen(function* () {
    const gates = { begun: yield* Deferred.make<void>(), call: yield* Deferred.make<void>() }
    const self: { callee?: Guest } = {}
    const host_sync_string = ({ text }: { readonly text: string }) =>
      Deferred.succeed(gates.begun, undefined).pipe(
        Effect.andThen(Deferred.await(gates.call)),
        Effect.andThen(Effect.suspend(() => self.callee!.echo_string({ value: text }))),
        Effect.catch(({ reason }) => Effect.succeed(reason._tag))
      )
    return { ...gates, self, host: { host_sync_string } }
  })

  it.effect("on its own thread would deadlock, whether it calls before or after that is known", () =>
    Effect.gen(function* () {
      const { load } = yield* life()
      for (const when of ["before", "after"]) {
        const { begun, call, host, self } = yield* calling
        const caller = yield* load(host)
        self.callee = yield* load({}, { replace: Schedule.spaced("10 seconds") })
        yield* die(self.callee)
        if (when === "before") yield* Deferred.succeed(call, undefined)
        const answer = yield* start(caller.via_host_sync_string({ text: "hello" }))
        yield* Deferred.await(begun)
        yield* Effect.repeat(Effect.andThen(TestClock.adjust("10 seconds"), turn), { times: 10 })
        yield* Deferred.succeed(call, undefined)
        yield* eventually(() => assert.isDefined(answer.pollUnsafe()))
        assert.strictEqual(yield* Fiber.join(answer), "WouldDeadlock")
        assert.strictEqual(yield* self.callee.early(), 42)
      }
    })
  )

  it.effect("is answered where there is another thread for the replacement", () =>
    Effect.gen(function* () {
      const { load } = yield* life({ threads: 2 })
      const { begun, call, host, self } = yield* calling
      const caller = yield* load(host)
      self.callee = yield* load({}, { replace: Schedule.spaced("10 seconds") })
      // The caller's thread would have fewer guests than the other.
      const scope = yield* Scope.make()
      yield* Effect.provideService(load(), Scope.Scope, scope)
      yield* load()
      yield* Scope.close(scope, Exit.void)
      yield* die(self.callee)
      const answer = yield* start(caller.via_host_sync_string({ text: "hello" }))
      yield* Deferred.await(begun)
      yield* Effect.repeat(Effect.andThen(TestClock.adjust("10 seconds"), turn), { times: 10 })
      yield* Deferred.succeed(call, undefined)
      yield* eventually(() => assert.isDefined(answer.pollUnsafe()))
      assert.strictEqual(yield* Fiber.join(answer), "hello")
    })
  )

  it.effect("does not hold up calls of the dead one that its thread has not come to", () =>
    Effect.gen(function* () {
      const { load } = yield* life({ threads: 2 })
      const { begun, call, host, self } = yield* calling
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const calls: Array<Fiber.Fiber<unknown, unknown>> = []
      const caller = yield* load(host)
      yield* load()
      // It dies when its thread has been sent two more calls.
      const callee: Guest = yield* load(
        {
          host_sync_string: () =>
            Effect.suspend(() => {
              calls.push(run(caller.via_host_sync_string({ text: "hello" })), run(callee.early()))
              return Effect.die("the bug")
            })
        },
        {}
      )
      self.callee = callee
      yield* Effect.exit(callee.via_host_sync_string({ text: "" }))
      yield* Deferred.await(begun)
      yield* eventually(() => assert.isDefined(calls[1]!.pollUnsafe()))
      assert.isUndefined(calls[0]!.pollUnsafe())
      yield* Deferred.succeed(call, undefined)
      assert.strictEqual(yield* Fiber.join(calls[0]!), "hello")
    })
  )

  it.live("cannot load one on the thread that it holds up", () =>
    Effect.gen(function* () {
      const { load } = yield* life()
      const caller = yield* load({
        host_sync_string: () =>
          Effect.scoped(load()).pipe(
            Effect.as("loaded"),
            Effect.catch((error) => Effect.succeed(String((error as GuestError.GuestError).reason?._tag)))
          )
      })
      assert.strictEqual(yield* caller.via_host_sync_string({ text: "hello" }), "WouldDeadlock")
    })
  )
})

describe("a guest's log on a thread", () => {
  it.live("100,000 lines in one entry arrive in order, and few wait at any moment", () =>
    Effect.gen(function* () {
      const { load } = yield* life()
      const seen = { lines: 0, running: 0, most: 0, inOrder: true }
      const guest = yield* load({
        log: ({ message }) =>
          Effect.suspend(() => {
            seen.inOrder &&= message === `line ${seen.lines}`
            seen.lines++
            seen.most = Math.max(seen.most, ++seen.running)
            // One line in ten takes its time.
            const written = seen.lines % 10 === 0 ? turn : Effect.void
            return Effect.andThen(
              written,
              Effect.sync(() => {
                seen.running--
              })
            )
          })
      })
      yield* guest.log_lines({ count: 100_000 })
      yield* eventually(() =>
        assert.deepStrictEqual({ ...seen, most: 0 }, { lines: 100_000, running: 0, most: 0, inOrder: true })
      )
      assert.isAtMost(seen.most, 256)
      yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
    })
  )

  it.live("is not waited for, carries its annotations, and a trap tells the last line", () =>
    Effect.gen(function* () {
      const { load } = yield* life()
      const lines: Array<readonly [message: string, annotations: unknown]> = []
      const logger = Logger.make(({ fiber, message }) => {
        lines.push([String(message), fiber.getRef(References.CurrentLogAnnotations)])
      })
      const guest = yield* load({ log: GuestLog.info })
      yield* Effect.provide(guest.log_lines({ count: 1 }), Logger.layer([logger]))
      const annotations = { plugin: "conformance/Conformance", guestFunction: "log_lines" }
      assert.deepStrictEqual(lines, [["line 0", annotations]])
      const reason = yield* reasonOf(
        Effect.provide(guest.panic_after_await({ message: "no more beans", logged: true }), Logger.layer([logger]))
      )
      assert.strictEqual(reason._tag, "Trapped")
      assert.match(reason._tag === "Trapped" ? reason.logged! : "", /no more beans/)

      const never = yield* load({ log: () => Effect.never })
      yield* never.log_lines({ count: 10 })
      yield* eventually(() => assert.strictEqual(inHand(never).calls, 0))
    })
  )
})

describe("a thread that is lost", () => {
  const ways: ReadonlyArray<
    readonly [
      way: string,
      sabotage: (threads: ReturnType<typeof recordedThreads>) => void,
      detail: RegExp,
      exitCode: number
    ]
  > = [
    ["exits", ({ sabotage }) => sabotage("guests#0", { exit: 3 }), /its program ended/, 3],
    ["throws", ({ sabotage }) => sabotage("guests#0", { throw: "the bug" }), /the bug/, 1],
    ["is terminated", ({ started }) => started[0]!.thread.terminate(), /its program ended/, 1],
    ["runs out of memory", ({ sabotage }) => sabotage("guests#0", { exhaust: true }), /memory limit/, 1],
    ["posts noise", ({ sabotage }) => sabotage("guests#0", { post: "noise" }), /110 is no kind of frame/, 1],
    [
      "posts a frame of no kind",
      ({ sabotage }) => sabotage("guests#0", { post: new Uint8Array([99, 1]) }),
      /99 is no kind/,
      1
    ],
    ["answers no call", ({ sabotage }) => sabotage("guests#0", { post: new Uint8Array([2, 77, 0, 0, 0, 0]) }), /77/, 1],
    [
      "calls no function",
      ({ sabotage }) => sabotage("guests#0", { post: new Uint8Array([1, 0, 99, 0, 0, 0]) }),
      /no such host function/,
      1
    ]
  ]
  it.live.each(ways)(
    "because it %s: its guests' calls fail and say so, others do not notice, the next load is answered",
    ([, sabotage, detail, exitCode]) =>
      Effect.gen(function* () {
        const interrupted: Array<number> = []
        const { close, executor, load, ...threads } = yield* life({
          threads: 2,
          resourceLimits: { maxOldGenerationSizeMb: 64 }
        })
        const host_delay = ({ id }: { readonly id: number }) =>
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(id)))
        const release = yield* Deferred.make<void>()
        const lost = yield* load({ host_delay })
        const other = yield* load({ host_delay: ({ id }) => Effect.as(Deferred.await(release), id) })
        const beside = yield* load()
        const calls = [yield* start(lossOf(lost.never())), yield* start(lossOf(lost.sequence({ count: 2 })))]
        const unnoticed = yield* start(other.sequence({ count: 3 }))
        yield* beside.early()
        sabotage(threads)
        for (const call of calls) {
          const reason = yield* Fiber.join(call)
          assert.strictEqual(reason.thread, "guests#0")
          assert.strictEqual(reason.exitCode, exitCode)
          assert.match(reason.detail, detail)
          assert.strictEqual(reason.lastRan, "early")
        }
        for (const guest of [lost, beside]) {
          assert.strictEqual((yield* lossOf(guest.echo_u32({ value: 1 }))).thread, "guests#0")
          assert.isFalse(inHand(guest).alive)
        }
        yield* eventually(() => assert.deepStrictEqual(interrupted, [0]))
        yield* eventually(() => assert.strictEqual(inHand(lost).hostCalls, 0))
        const replaced = yield* load()
        assert.strictEqual(yield* replaced.early(), 42)
        assert.deepStrictEqual(
          threads.started.map(({ exit, name }) => [name, exit === undefined]),
          [
            ["guests#0", false],
            ["guests#1", true],
            ["guests#0", true]
          ]
        )
        yield* Deferred.succeed(release, undefined)
        assert.deepStrictEqual(yield* Fiber.join(unnoticed), [0, 1, 2])
        const { stats } = yield* Effect.provide(GuestExecutor.GuestExecutor, executor)
        assert.deepStrictEqual(stats(), { active: 0, nested: 0, waiting: 0, suspended: 0 })
        yield* close
        assert.isTrue(threads.started.every(({ exit }) => exit !== undefined))
      })
  )

  it.live("had begun a call whose arguments made another: the first is not repeated, the second is", () =>
    Effect.gen(function* () {
      const { load, started } = yield* life()
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const begun = yield* Deferred.make<void>()
      const asked: Array<string> = []
      const host_sync_string = ({ text }: { readonly text: string }) =>
        Effect.suspend(() => {
          if (asked.push(text) > 1) return Effect.succeed(text)
          return Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        })
      const guest: Guest = yield* load({ host_sync_string }, {})
      const made: Array<Fiber.Fiber<number, unknown>> = []
      const making = (text: unknown) => ({
        get text() {
          made.push(run(guest.early()))
          return text as string
        }
      })
      // Of the three that are sent the thread answers the first, is held up by the second, and does not come to the last.
      const refused = yield* start(reasonOf(guest.via_host_sync_string(making(1))))
      const first = yield* start(lossOf(guest.via_host_sync_string(making("first"))))
      yield* Deferred.await(begun)
      started[0]!.thread.terminate()
      assert.strictEqual((yield* Fiber.join(refused))._tag, "ValueRefused")
      yield* Fiber.join(first)
      assert.deepStrictEqual(asked, ["first"])
      assert.deepStrictEqual(yield* Effect.forEach(made, (call) => Fiber.join(call)), [42, 42])
    })
  )

  it.live("while a guest is loaded there, and while a sync host function is waited for", () =>
    Effect.gen(function* () {
      const { load, started } = yield* life()
      const guest = yield* load({
        host_sync_string: () =>
          Effect.andThen(
            Effect.sync(() => started[0]!.thread.terminate()),
            Effect.never
          )
      })
      const reason = yield* lossOf(guest.via_host_sync_string({ text: "x" }))
      assert.strictEqual(reason.lastRan, "via_host_sync_string")
      const loading = yield* start(Effect.exit(load()))
      yield* eventually(() => assert.strictEqual(started.length, 2))
      started[1]!.thread.terminate()
      const exit = yield* Fiber.join(loading)
      // Or it was there before.
      if (Exit.isFailure(exit)) assert.match(String(exit.cause), /ThreadLost|was lost|could not start/)
      assert.strictEqual(yield* (yield* load()).early(), 42)
    })
  )
})

describe("a thread that cannot begin", () => {
  const failure = (options: NodeGuestThread.Options) =>
    Effect.map(Effect.flip(Layer.build(NodeGuestThread.layer(options))), (error: Thread.ThreadError) => {
      assert.strictEqual(error.reason._tag, "StartFailed")
      return error.message
    })
  it.live("fails its layer: no program, another program, and one that sends garbage", () =>
    Effect.gen(function* () {
      const program = (name: string) => ({ program: new URL(name, import.meta.url) })
      assert.match(yield* failure(program("../fixtures/nothing.ts")), /Cannot find module/)
      assert.match(yield* failure(program("../fixtures/work.ts")), /its program ended/)
      assert.match(yield* failure(program("../fixtures/garbage.runner.ts")), /holds frames/)
      assert.match(yield* failure(program("../fixtures/conformance.worker.ts")), /nobody that owns it|NotAThread/)
    })
  )
})

describe("closing", () => {
  it.effect("an executor whose guest never returns: calls settle at once, its thread ends after the grace time", () =>
    Effect.gen(function* () {
      const { close, load, started } = yield* life({ grace: 300 })
      const guest = yield* load()
      const call = yield* start(reasonOf(guest.spin_forever()))
      yield* entered(guest)
      const closing = yield* start(close)
      assert.strictEqual((yield* Fiber.join(call))._tag, "Closed")
      assert.isUndefined(started[0]!.exit)
      yield* outlastGrace(closing, 300)
      assert.isDefined(started[0]!.exit)
    })
  )

  it.effect("one guest that never returns: its thread ends after the grace time, and its other guests hear why", () =>
    Effect.gen(function* () {
      const { load } = yield* life({ grace: 200, threads: 2 })
      const scope = yield* Scope.make()
      const guest = yield* Effect.provideService(load(), Scope.Scope, scope)
      const elsewhere = yield* load()
      const beside = yield* load()
      const spinning = yield* start(reasonOf(guest.spin_forever()))
      const behind = yield* start(lossOf(beside.early()))
      yield* entered(guest)
      const closing = yield* start(Scope.close(scope, Exit.void))
      assert.strictEqual((yield* Fiber.join(spinning))._tag, "Closed")
      yield* outlastGrace(closing, 200)
      const loss = yield* Fiber.join(behind)
      assert.match(loss.detail, /did not return when it was closed/)
      assert.strictEqual(loss.lastRan, "spin_forever")
      assert.strictEqual(yield* elsewhere.early(), 42)
      assert.strictEqual(yield* (yield* load()).early(), 42)
    })
  )

  it.live("by a sync host function: the guest, which goes on until it returns, runs no more host functions", () =>
    Effect.gen(function* () {
      const { executor } = yield* life()
      const scope = yield* Scope.make()
      const ran: Array<string> = []
      const host = WatImports.toLayer({
        ask: ({ text }) => Effect.succeed(text),
        ask_sync: ({ text }) =>
          Effect.suspend(() => {
            ran.push(text)
            return Effect.as(Scope.close(scope, Exit.void), text)
          })
      })
      const ask = `(drop (call $ask_sync (i64.const ${data.hello})))`
      const guest = yield* Wat.make({ module: compile(plugin({ text: `${ask} ${ask} (i64.const ${data.ok})` })) }).pipe(
        Effect.provide(host),
        Effect.provide(executor),
        Effect.provideService(Scope.Scope, scope)
      )
      assert.strictEqual((yield* reasonOf(guest.text()))._tag, "Closed")
      yield* Effect.repeat(turn, { times: 100 })
      assert.deepStrictEqual(ran, ["hello"])
    })
  )

  it.live("by a sync host function: what its guest asks after that is not run, and not logged", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => lines.push(message))
      yield* Effect.gen(function* () {
        const { executor } = yield* life()
        const scope = yield* Scope.make()
        let asked = 0
        const host = CurtImports.toLayer({
          ask: ({ text }) => Effect.succeed(text),
          ask_sync: ({ text }) => {
            asked++
            return Effect.as(Scope.close(scope, Exit.void), text)
          }
        })
        const ask = `(drop (call $ask_sync (i64.const ${data.hello})))`
        const module = compile(plugin({ text: `${ask} ${ask} (i64.const ${data.ok})` }))
        const guest = yield* Curt.make({ module }).pipe(
          Effect.provide(host),
          Effect.provide(executor),
          Effect.provideService(Scope.Scope, scope)
        )
        assert.strictEqual((yield* reasonOf(guest.text()))._tag, "Closed")
        yield* Effect.repeat(turn, { times: 100 })
        assert.strictEqual(asked, 1)
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines, [])
    })
  )

  it.live("by the sync host function of a guest that then does not return: its thread ends after the grace time", () =>
    Effect.gen(function* () {
      const { executor, started } = yield* life({ grace: "100 millis" })
      const scope = yield* Scope.make()
      const host = WatImports.toLayer({
        ask: ({ text }) => Effect.succeed(text),
        ask_sync: ({ text }) => Effect.as(Scope.close(scope, Exit.void), text)
      })
      const text = `(drop (call $ask_sync (i64.const ${data.hello}))) (loop $again (br $again)) (unreachable)`
      const guest = yield* Wat.make({ module: compile(plugin({ text })) }).pipe(
        Effect.provide(host),
        Effect.provide(executor),
        Effect.provideService(Scope.Scope, scope)
      )
      assert.strictEqual((yield* reasonOf(guest.text()))._tag, "Closed")
      yield* eventually(() => assert.isDefined(started[0]!.exit))
    })
  )

  it.effect("a guest behind one that does not return waits no longer than the grace time, and ends no thread", () =>
    Effect.gen(function* () {
      const { close, load, started } = yield* life({ grace: 100 })
      const scope = yield* Scope.make()
      const spinning = yield* load()
      const behind = yield* Effect.provideService(load(), Scope.Scope, scope)
      const call = yield* start(reasonOf(spinning.spin_forever()))
      const waiting = yield* start(reasonOf(behind.early()))
      yield* entered(spinning)
      const closing = yield* start(Scope.close(scope, Exit.void))
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "Closed")
      yield* outlastGrace(closing, 100)
      assert.isUndefined(call.pollUnsafe())
      assert.isUndefined(started[0]!.exit)
      const ending = yield* start(close)
      assert.strictEqual((yield* Fiber.join(call))._tag, "Closed")
      yield* outlastGrace(ending, 100)
    })
  )
})

describe("interruption", () => {
  it.live("at every step of a call: it leaves nothing, and the guest answers the next", () =>
    Effect.gen(function* () {
      const { load } = yield* life({ concurrency: 3 })
      const started: Array<number> = []
      const guest = yield* load({
        host_try: ({ id }) =>
          Effect.suspend(() => {
            started.push(id)
            return Effect.as(Effect.repeat(turn, { times: 3 }), id)
          })
      })
      for (let id = 0; id < 300; id++) {
        const call = yield* start(guest.cleanup({ id }))
        yield* Effect.repeat(id % 2 === 0 ? turn : Effect.yieldNow, { times: id % 12 })
        yield* Fiber.interrupt(call)
        const exit = yield* Fiber.await(call)
        assert.isTrue(Exit.isSuccess(exit) ? exit.value === id : Exit.hasInterrupts(exit))
      }
      yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
      assert.strictEqual(yield* guest.cleanup({ id: 1000 }), 1000)
      assert.include(started, 1000)
    })
  )

  it.live("of a thousand calls, while their thread is busy for somebody who waits: it is asked one thing", () =>
    Effect.gen(function* () {
      const { load, started } = yield* life({ escalation: { interrupted: "10 millis" } })
      const begun = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const guest = yield* load({
        host_sync_string: ({ text }) =>
          Effect.as(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(release)), text)
      })
      const left = yield* Effect.replicateEffect(start(guest.never()), 1000)
      const waiting = yield* start(guest.via_host_sync_string({ text: "waited for" }))
      yield* Deferred.await(begun)
      const asked = callsTo(started[0]!.thread)
      yield* Fiber.interruptAll(left)
      yield* eventually(() => assert.isNotEmpty(asked.calls))
      yield* Effect.sleep("200 millis")
      assert.lengthOf(asked.calls, 1)
      asked.stop()
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual(yield* Fiber.join(waiting), "waited for")
      yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
    })
  )

  it.effect(
    "of a call that a sync host function holds up, and of another: the guest has its grace time to return",
    () =>
      Effect.gen(function* () {
        const { executor } = yield* life()
        const begun = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        // It is still on the stack when the other call is looked at.
        const answer = `(drop (call $ask_sync (i64.const ${data.hello})))
          (local.set $value (i64.const 50000000))
          (loop $busy
            (local.set $value (i64.sub (local.get $value) (i64.const 1)))
            (br_if $busy (i64.ne (local.get $value) (i64.const 0))))
          (call $bump (i32.const 12))`
        let asked = 0
        const host = CurtImports.toLayer({
          ask: ({ text }) => Effect.succeed(text),
          ask_sync: ({ text }) =>
            Effect.suspend(() => {
              if (++asked === 1) return Effect.succeed(text)
              return Effect.andThen(Deferred.succeed(begun, undefined), Effect.never).pipe(
                Effect.onInterrupt(() => Deferred.await(release))
              )
            })
        })
        const guest = yield* Curt.make({ module: compile(plugin({ answer })) }).pipe(
          Effect.provide(host),
          Effect.provide(executor)
        )
        yield* Effect.addFinalizer(() => Deferred.succeed(release, undefined))
        const events: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(Plugin.health(guest), ({ _tag }) => Effect.sync(() => events.push(_tag))),
          { startImmediately: true }
        )
        const pending = yield* start(guest.answer())
        const held = yield* start(guest.answer())
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(held)
        yield* Fiber.interrupt(pending)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* guest.text(), "ok")
        yield* Effect.repeat(Effect.andThen(TestClock.adjust("1 second"), turn), { times: 10 })
        assert.deepStrictEqual(events, ["Answered"])
      }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("of a load: nothing is left of it", () =>
    Effect.gen(function* () {
      const { executor, load } = yield* life()
      for (let i = 0; i < 50; i++) {
        const loading = yield* start(Effect.scoped(load()))
        yield* Effect.repeat(turn, { times: i % 5 })
        yield* Fiber.interrupt(loading)
      }
      assert.strictEqual(yield* (yield* load()).early(), 42)
      const { stats } = yield* Effect.provide(GuestExecutor.GuestExecutor, executor)
      assert.deepStrictEqual(stats(), { active: 0, nested: 0, waiting: 0, suspended: 0 })
    })
  )
})

it.live("10,000 calls at once: each its own answer", () =>
  Effect.gen(function* () {
    const { load } = yield* life()
    const guest = yield* load()
    const ids = Array.from({ length: 10_000 }, (_, id) => id)
    const answers = yield* Effect.forEach(ids, (id) => guest.via_host_try({ id }), { concurrency: "unbounded" })
    assert.deepStrictEqual(answers, ids)
    yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
  })
)

it.live("a process whose scopes have closed ends by itself", () =>
  Effect.gen(function* () {
    const main = fileURLToPath(new URL("../fixtures/guestThread.main.ts", import.meta.url))
    const { stderr, stdout } = yield* Effect.promise(() =>
      promisify(execFile)(process.execPath, [main], { timeout: 50_000 })
    )
    assert.strictEqual(stdout, "answered\n")
    assert.strictEqual(stderr, "")
  })
)
