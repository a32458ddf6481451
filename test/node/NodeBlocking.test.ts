import { Worker } from "node:worker_threads"
import { assert, describe, it, vi } from "@effect/vitest"
import { Blocking, BlockingError, Deadline, HostCallError, HostPool, Thread, ThreadPool } from "@fiberhost/core"
import { NodeBlocking, NodeGuestThread, NodeHostPool, NodeThreads } from "@fiberhost/node"
import { GuestExecutor } from "@fiberhost/wasm-host"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Result, Schedule, Scope } from "effect"
import { callerThread, type Outcomes } from "../fixtures/blockingCaller.ts"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { eventually } from "../fixtures/eventually.ts"
import { type Fault, FaultyChannels } from "../fixtures/faultyChannels.ts"
import { GuestPool, guestPool } from "../fixtures/guestPool.ts"
import { pass, Ring, ringHandlers } from "../fixtures/ring.ts"
import { Holder, Token } from "../fixtures/token.ts"
import { handlers, OldWork, TooSmall, Work } from "../fixtures/work.ts"
import { Crew, type Ending, Gate, hooks } from "../fixtures/workCrew.ts"

const workProgram = new URL("../fixtures/work.worker.ts", import.meta.url)
const crewProgram = new URL("../fixtures/workCrew.worker.ts", import.meta.url)
const crew = (options?: { readonly size?: number; readonly concurrency?: number; readonly memory?: number }) =>
  NodeHostPool.layer(Crew, {
    program: crewProgram,
    initial: { greeting: "hello" },
    size: options?.size ?? 1,
    concurrency: options?.concurrency ?? 64,
    resourceLimits: { maxOldGenerationSizeMb: options?.memory ?? 64 }
  })
const work = NodeHostPool.layer(Work, { program: workProgram, size: 1 })

/** Why it failed, without the answer that would be wrong here. */
const reasonOf = <A, E>(result: Result.Result<A, E>) => {
  assert.isTrue(Result.isFailure(result))
  const error = Option.getOrThrow(Result.getFailure(result))
  assert.isTrue(error instanceof HostCallError.HostCallError || error instanceof BlockingError.BlockingError)
  return (error as HostCallError.HostCallError | BlockingError.BlockingError).reason
}

describe("synchronous code of the thread that owns a pool", () => {
  it.effect("gets each call's own answer, in any order, and its failures as values", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Work, yield* NodeBlocking.handle(Work))
      assert.deepStrictEqual(pool.double.run({ n: 21 }), Result.succeed(42))
      assert.strictEqual(pool.double.runOrThrow({ n: 4 }), 8)
      assert.strictEqual(pool.nothing.runOrThrow(), undefined)

      const receivers = Array.from({ length: 20 }, (_, n) => pool.double.spawnBlockingOrThrow({ n }))
      const answers = receivers.toReversed().map((receiver) => receiver.recvOrThrow())
      assert.deepStrictEqual(
        answers,
        Array.from({ length: 20 }, (_, n) => 2 * (19 - n))
      )
      assert.strictEqual(receivers[3]!.recvOrThrow(), 6)
      assert.deepStrictEqual(receivers[3]!.tryRecv(), Option.some(Result.succeed(6)))

      const tooSmall = pool.double.run({ n: -1 })
      assert.strictEqual(Result.isFailure(tooSmall) && tooSmall.failure._tag, "TooSmall")
      assert.throws(() => pool.double.runOrThrow({ n: -1 }), TooSmall)
      assert.strictEqual(reasonOf(pool.die.run({ message: "the bug" }))._tag, "Defect")
      assert.strictEqual(reasonOf(pool.refuse.run())._tag, "AnswerRefused")
      assert.strictEqual(reasonOf(pool.interrupt.run())._tag, "Interrupted")
      const refused = reasonOf(pool.double.trySpawn({ n: 0.5 }))
      assert.strictEqual(refused._tag === "ArgumentsRefused" && refused.path, "n")
      // What was refused has taken no room, and harmed nobody.
      assert.strictEqual(yield* (yield* Work).double({ n: 1 }), 2)
    }).pipe(Effect.provide(work))
  )

  it.effect("sends bytes of any size, and keeps its own", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Work, yield* NodeBlocking.handle(Work))
      for (const length of [0, 1, 100, 16_383, 16_384, 1 << 20]) {
        const bytes = Uint8Array.from({ length }, (_, i) => i)
        const reversed = pool.reverse.runOrThrow({ bytes })
        assert.strictEqual(bytes.length, length)
        assert.deepStrictEqual(reversed, bytes.toReversed())
        // It may write to them as soon as the call is made.
        const receiver = pool.reverse.spawnBlockingOrThrow({ bytes })
        bytes.fill(0)
        assert.deepStrictEqual(receiver.recvOrThrow(), reversed)
      }
    }).pipe(Effect.provide(work))
  )

  it.effect("sends one buffer that is both copied and moved, and gets one", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      for (const length of [0, 100, 16_384, 1 << 20]) {
        const sent = Uint8Array.from({ length }, (_, i) => i)
        const bytes = sent.slice()
        const { kept, moved } = pool.lend.runOrThrow({ kept: bytes, moved: bytes }, { timeout: 3000 })
        assert.strictEqual(bytes.length, 0)
        assert.deepStrictEqual([kept, moved], [sent, sent])
        assert.strictEqual(pool.move.runOrThrow({ bytes: Uint8Array.of(1) })[0], 2)
        assert.deepStrictEqual([kept, moved], [sent, sent])
      }
    }).pipe(Effect.provide(crew({ concurrency: 1 })))
  )

  it.effect("sends one buffer that is copied twice as two", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      for (const length of [100, 16_384]) {
        const bytes = new Uint8Array(length).fill(1)
        const { first, second } = pool.scribble.runOrThrow({ first: bytes, second: bytes }, { timeout: 3000 })
        assert.deepStrictEqual([bytes[0], first[0], second[0]], [1, 9, 1])
      }
    }).pipe(Effect.provide(crew()))
  )

  it.effect("refuses bytes that are taken away while the rest of its payload is read, and loses nothing else", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const gate = new Gate()
      const held = pool.hold.spawnBlockingOrThrow({ gate: gate.memory })
      for (let round = 0; round < 3; round++) {
        const taken = new Uint8Array(1 << 20)
        const other = Uint8Array.of(1, 2, 3)
        const refused = reasonOf(
          pool.lend.run({
            kept: taken,
            get moved() {
              taken.buffer.transfer()
              return other
            }
          })
        )
        assert.strictEqual(refused._tag === "ArgumentsRefused" && refused.path, "kept")
        assert.strictEqual(other.length, 3)
        const memory = new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer)
        const immovable = reasonOf(pool.lend.run({ kept: new Uint8Array(1 << 20), moved: memory }))
        assert.strictEqual(immovable._tag === "ArgumentsRefused" && immovable.path, "moved")
      }
      assert.strictEqual(pool.echo.runOrThrow({ id: 2 }, { timeout: 3000 }), 2)
      gate.open()
      held.recvOrThrow({ timeout: 3000 })
      const owners = yield* Crew
      yield* eventually(() => assert.strictEqual(HostPool.stats(owners).active, 0))
    }).pipe(Effect.provide(crew({ concurrency: 2 })))
  )

  it.effect("is called and waited for while the payload of a call is read, however little room there is", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const nested = (depth: number): number =>
        pool.echo.runOrThrow(
          {
            get id() {
              return depth === 0 ? 2 : 2 + nested(depth - 1)
            }
          },
          { timeout: 3000 }
        )
      assert.strictEqual(nested(5), 12)
      const receiver = pool.echo.spawnBlockingOrThrow({
        get id() {
          return pool.echo.spawnBlockingOrThrow({ id: 4 }).recvOrThrow({ timeout: 3000 })
        }
      })
      assert.strictEqual(receiver.recvOrThrow({ timeout: 3000 }), 4)
      assert.strictEqual(yield* (yield* Crew).echo({ id: 6 }), 6)
    }).pipe(Effect.provide(crew({ concurrency: 1 })))
  )

  it.effect("is waited for while an answer is read, also for one that came with that", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      // Its thread is held up until all of them are asked for, so that one message answers them.
      const gate = new Gate()
      const first = pool.work.spawnBlockingOrThrow({ gate: Option.some(gate.memory) })
      const receivers = [1, 2].map((n) => pool.hooked.spawnBlockingOrThrow({ n }))
      gate.open()
      const read: Array<number> = []
      let isFirst = true
      hooks.decode = (n) => {
        if (n === 1 && isFirst) {
          isFirst = false
          // It may ask for itself, too.
          read.push(receivers[1]!.recvOrThrow({ timeout: 3000 }), receivers[0]!.recvOrThrow({ timeout: 3000 }))
        }
        read.push(n)
      }
      yield* Effect.addFinalizer(() => Effect.sync(() => (hooks.decode = () => {})))
      assert.strictEqual(receivers[0]!.recvOrThrow({ timeout: 3000 }), 1)
      first.recvOrThrow({ timeout: 3000 })
      assert.deepStrictEqual(read, [2, 1, 2, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(crew()))
  )

  it.effect("gets answers that are written while another is, each with its own bytes, and their room", () =>
    Effect.gen(function* () {
      const pool = yield* Crew
      using blocking = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const { movedWhenWritten, whenWritten } = blocking
      for (const second of [whenWritten, movedWhenWritten]) {
        const waiting = [whenWritten, second].map((ask) => ask.spawnBlockingOrThrow())
        assert.strictEqual(blocking.hooked.runOrThrow({ n: 77 }, { timeout: 3000 }), 77)
        for (const receiver of waiting) {
          const bytes = receiver.recvOrThrow({ timeout: 3000 })
          assert.deepStrictEqual(bytes, new Uint8Array(32_768).fill(1))
          bytes.fill(7)
        }
      }
      yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
    }).pipe(Effect.provide(crew({ concurrency: 3 })))
  )

  it.effect("waits as long as it says, with the time that reading its payload takes", () =>
    Effect.gen(function* () {
      const pool = yield* Crew
      using blocking = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const gate = new Gate()
      const held = blocking.hold.spawnBlockingOrThrow({ gate: gate.memory })
      const waits = vi.spyOn(Atomics, "wait")
      yield* Effect.addFinalizer(() => Effect.sync(() => waits.mockRestore()))
      // Nothing of it is left when the payload has been read.
      const late = blocking.echo.run(
        {
          get id() {
            const end = performance.now() + 20
            while (performance.now() < end);
            return 2
          }
        },
        { timeout: 10 }
      )
      assert.deepStrictEqual(
        reasonOf(late),
        new BlockingError.TimedOut({ waitedFor: "room", milliseconds: 10, goesOn: false })
      )
      assert.strictEqual(waits.mock.calls.length, 0)
      gate.open()
      held.recvOrThrow({ timeout: 3000 })
      yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
    }).pipe(Effect.scoped, Effect.provide(crew({ concurrency: 1 })))
  )

  it.effect("waits as long as it says: the call goes on, and is interrupted when its receiver is disposed of", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Work, yield* NodeBlocking.handle(Work))
      {
        using receiver = pool.hang.spawnBlockingOrThrow({ id: "late" })
        const late = reasonOf(receiver.recv({ timeout: "20 millis" }))
        assert.deepStrictEqual(late, new BlockingError.TimedOut({ waitedFor: "reply", milliseconds: 20, goesOn: true }))
        assert.isTrue(Option.isNone(receiver.tryRecv()))
        assert.isFalse(pool.wasInterrupted.runOrThrow({ id: "late" }))
      }
      assert.isTrue(pool.wasInterrupted.runOrThrow({ id: "late" }))
      assert.deepStrictEqual(
        reasonOf(pool.hang.run({ id: "run" }, { timeout: 20 })),
        new BlockingError.TimedOut({ waitedFor: "reply", milliseconds: 20, goesOn: false })
      )
      assert.isTrue(pool.wasInterrupted.runOrThrow({ id: "run" }))
    }).pipe(Effect.provide(work))
  )

  it.effect("shares the pool's room with its fibers, exactly", () =>
    Effect.gen(function* () {
      const pool = yield* Crew
      using blocking = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const gate = new Gate()
      const fiber = yield* Effect.forkChild(pool.hold({ gate: gate.memory }), { startImmediately: true })
      yield* eventually(() => assert.strictEqual(gate.began, 1))
      const held = blocking.hold.trySpawn({ gate: gate.memory })
      assert.isTrue(Result.isSuccess(held))
      assert.deepStrictEqual(reasonOf(blocking.greet.trySpawn()), new BlockingError.NoRoom({ concurrency: 2 }))
      assert.deepStrictEqual(
        reasonOf(blocking.greet.spawnBlocking(undefined, { timeout: 20 })),
        new BlockingError.TimedOut({ waitedFor: "room", milliseconds: 20, goesOn: false })
      )
      const waiting = yield* Effect.forkChild(pool.greet(), { startImmediately: true })
      assert.deepStrictEqual(HostPool.stats(pool), { waiting: 1, active: 2, threads: 1, lost: 0 })
      gate.open()
      // The thread gives room back although its owner, who is blocked, hears of no answer.
      assert.strictEqual(blocking.greet.runOrThrow(), "hello")
      assert.strictEqual(yield* Fiber.join(waiting), "hello")
      yield* Fiber.join(fiber)
      assert.isTrue(Result.isSuccess(Result.flatMap(held, (receiver) => receiver.recv())))
      assert.deepStrictEqual(HostPool.stats(pool), { waiting: 0, active: 0, threads: 1, lost: 0 })
    }).pipe(Effect.provide(crew({ concurrency: 2 })))
  )

  it.effect("gives the room of a call that is refused to one of the owner's that waits for it", () =>
    Effect.gen(function* () {
      const pool = yield* Crew
      using blocking = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      let waiting: Fiber.Fiber<string, unknown> | undefined
      let stats: HostPool.Stats | undefined
      const buffer = Object.assign(new ArrayBuffer(8), {
        transfer: () => {
          // The only room is this call's now.
          waiting = Effect.runFork(pool.greet())
          stats = HostPool.stats(pool)
          throw new Error("it stays here")
        }
      })
      const refused = blocking.move.trySpawn({ bytes: new Uint8Array(buffer) })
      assert.deepStrictEqual(stats, { waiting: 1, active: 1, threads: 1, lost: 0 })
      assert.strictEqual(reasonOf(refused)._tag, "ArgumentsRefused")
      assert.strictEqual(yield* Fiber.join(waiting!), "hello")
    }).pipe(Effect.provide(crew({ concurrency: 1 })))
  )

  for (const how of ["exit", "uncaught", "rejection", "memory"] satisfies Array<typeof Ending.Type>) {
    it.effect(`hears of a thread's loss while it is blocked: ${how}`, () =>
      Effect.gen(function* () {
        using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
        const other = pool.hold.spawnBlockingOrThrow({ gate: new Gate().memory })
        const lost = reasonOf(pool.end.run({ how }))
        assert.strictEqual(lost._tag, "ThreadLost")
        assert.strictEqual(lost._tag === "ThreadLost" && lost.lastRan, "end")
        assert.strictEqual(reasonOf(other.recv())._tag, "ThreadLost")
        // Who would start another thread is this one.
        assert.strictEqual(reasonOf(pool.greet.run())._tag, "WouldDeadlock")
        yield* eventually(() => assert.deepStrictEqual(pool.greet.run(), Result.succeed("hello")))
        assert.deepStrictEqual(HostPool.stats(yield* Crew), { waiting: 0, active: 0, threads: 1, lost: 1 })
      }).pipe(Effect.provide(crew()))
    )
  }

  it.effect("is told when a lost thread is not replaced any more", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const owned = yield* Crew
      assert.strictEqual(reasonOf(pool.end.run({ how: "exit" }))._tag, "ThreadLost")
      yield* eventually(() => assert.strictEqual(HostPool.stats(owned).threads, 0))
      yield* eventually(() => assert.strictEqual(reasonOf(pool.greet.run())._tag, "NoThread"))
    }).pipe(
      Effect.provide(
        NodeHostPool.layer(Crew, { program: crewProgram, initial: { greeting: "hello" }, restart: Schedule.recurs(0) })
      )
    )
  )

  it.effect("is not harmed by the loss of another thread", () =>
    Effect.gen(function* () {
      using pool = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const gate = new Gate()
      const held = pool.hold.spawnBlockingOrThrow({ gate: gate.memory })
      assert.strictEqual(reasonOf(pool.end.run({ how: "exit" }))._tag, "ThreadLost")
      gate.open()
      assert.isTrue(Result.isSuccess(held.recv()))
      assert.strictEqual(pool.greet.runOrThrow(), "hello")
    }).pipe(Effect.provide(crew({ size: 2 })))
  )
})

describe("a handle", () => {
  it.effect("ends with its scope, and with its caller: what it was used for is interrupted", () =>
    Effect.gen(function* () {
      const pool = yield* Work
      const scope = yield* Scope.make()
      const ended = NodeBlocking.open(Work, yield* Scope.provide(NodeBlocking.handle(Work), scope))
      const receiver = ended.hang.spawnBlockingOrThrow({ id: "scope" })
      // Calls of one handle begin in their order, so this one has begun. What has not never does.
      ended.double.runOrThrow({ n: 1 })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(reasonOf(receiver.recv())._tag, "Released")
      assert.strictEqual(reasonOf(ended.double.run({ n: 1 }))._tag, "Released")

      const left = NodeBlocking.open(Work, yield* NodeBlocking.handle(Work))
      const other = left.hang.spawnBlockingOrThrow({ id: "caller" })
      left.double.runOrThrow({ n: 1 })
      left[Symbol.dispose]()
      assert.strictEqual(reasonOf(other.recv())._tag, "Released")
      for (const id of ["scope", "caller"]) {
        const wasInterrupted = pool.wasInterrupted({ id })
        assert.isTrue(yield* Effect.repeat(wasInterrupted, { until: (it) => it, times: 10_000 }))
      }
      yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
    }).pipe(Effect.provide(work))
  )

  it.effect("that its caller leaves while a payload is read gives its room back", () =>
    Effect.gen(function* () {
      const left = NodeBlocking.open(Crew, yield* NodeBlocking.handle(Crew))
      const released = left.echo.run(
        {
          get id() {
            left[Symbol.dispose]()
            return 4
          }
        },
        { timeout: 3000 }
      )
      assert.strictEqual(reasonOf(released)._tag, "Released")
      const pool = yield* Crew
      assert.strictEqual(yield* pool.echo({ id: 6 }), 6)
      yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
    }).pipe(Effect.provide(crew({ concurrency: 1 })))
  )

  for (const fault of ["a message that cannot be posted", "a message that is none"] satisfies Array<Fault>) {
    it.effect(`whose channel breaks is released, and gives its room back: ${fault}`, () =>
      Effect.gen(function* () {
        const pool = yield* Crew
        const channels = new FaultyChannels()
        const blocking = Blocking.open(Crew, yield* NodeBlocking.handle(Crew), channels)
        const gate = new Gate()
        const held = blocking.hold.spawnBlockingOrThrow({ gate: gate.memory })
        yield* eventually(() => assert.strictEqual(gate.began, 1))
        channels.break(fault)
        const lost = reasonOf(blocking.echo.run({ id: 2 }, { timeout: 3000 }))
        if (fault === "a message that cannot be posted") {
          assert.match(lost._tag === "ThreadLost" ? lost.detail : lost._tag, /cannot be posted: no memory for it/)
        } else {
          assert.strictEqual(lost._tag, "Released")
        }
        assert.strictEqual(reasonOf(held.recv({ timeout: 3000 }))._tag, "ThreadLost")
        assert.strictEqual(reasonOf(blocking.echo.run({ id: 2 }, { timeout: 3000 }))._tag, "Released")
        assert.strictEqual(yield* pool.echo({ id: 6 }), 6)
        yield* eventually(() => assert.strictEqual(gate.interrupted, 1))
        yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
      }).pipe(Effect.provide(crew({ concurrency: 2 })))
    )
  }

  it.live("that ends while its caller takes room leaves that to the owner's calls", () =>
    Effect.gen(function* () {
      const pool = yield* Work
      const scope = yield* Scope.make()
      const handle = yield* Scope.provide(NodeBlocking.handle(Work), scope)
      const gate = new Gate()
      const { answer } = yield* callerThread({ what: "held up", handle, gate: gate.memory }, "workerData")
      yield* eventually(() => assert.strictEqual(gate.began, 1))
      assert.strictEqual(HostPool.stats(pool).active, 1)
      yield* Scope.close(scope, Exit.void)
      const waiting = yield* Effect.forkChild(pool.double({ n: 21 }), { startImmediately: true })
      yield* Effect.sleep("100 millis")
      gate.open()
      assert.strictEqual(yield* Fiber.join(waiting), 42)
      assert.notStrictEqual(yield* answer, "started")
    }).pipe(Effect.provide(NodeHostPool.layer(Work, { program: workProgram, size: 1, concurrency: 1 })))
  )

  it.effect("is opened once, with its own contract, while it lasts", () =>
    Effect.gen(function* () {
      const refused = (open: () => unknown): string => {
        try {
          open()
        } catch (error) {
          assert.instanceOf(error, BlockingError.BlockingError)
          return error.message
        }
        return assert.fail("it was opened")
      }
      const scope = yield* Scope.make()
      const handle = yield* Scope.provide(NodeBlocking.handle(Work), scope)
      assert.match(
        refused(() => NodeBlocking.open(Ring, handle as never)),
        /"test\/Ring" cannot be opened: this is a handle of "suite\/Work"/
      )
      assert.match(
        refused(() => NodeBlocking.open(OldWork, handle as never)),
        /function 2 of the pool is die\(message\), and here die\(text\)/
      )
      for (const garbage of [undefined, null, 1, "x", {}, { ...handle, bell: 1 }, new Proxy({}, {})]) {
        assert.match(
          refused(() => NodeBlocking.open(Work, garbage as never)),
          /this is no handle/
        )
      }
      NodeBlocking.open(Work, structuredClone(handle))
      assert.match(
        refused(() => NodeBlocking.open(Work, handle)),
        /it is open already/
      )
      yield* Scope.close(scope, Exit.void)
      assert.match(
        refused(() => NodeBlocking.open(Work, handle)),
        /it was released/
      )
    }).pipe(Effect.provide(work))
  )

  it.effect("of a pool that is closed answers Closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const pool = yield* ThreadPool.make(Work, { program: workProgram }).pipe(
        Effect.provide(NodeThreads.layer()),
        Scope.provide(scope)
      )
      using blocking = NodeBlocking.open(Work, yield* Effect.provideService(NodeBlocking.handle(Work), Work, pool))
      const receiver = blocking.hang.spawnBlockingOrThrow({ id: "closed" })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(reasonOf(receiver.recv())._tag, "Closed")
      assert.strictEqual(reasonOf(blocking.double.run({ n: 1 }))._tag, "Closed")
    })
  )
})

type WorkLayer = Layer.Layer<Work, Thread.ThreadError>

/** The second of each has room for one call. */
const anywhere: ReadonlyArray<readonly [string, WorkLayer, WorkLayer]> = [
  ["over threads", work, NodeHostPool.layer(Work, { program: workProgram, size: 1, concurrency: 1 })],
  [
    "in the application's thread",
    Work.layer(handlers, { concurrency: 2 }),
    Work.layer(handlers, { concurrency: 1, capacity: 0 })
  ]
]
for (const [where, layer, oneAtATime] of anywhere) {
  describe(`synchronous code of another thread, with a pool ${where}`, () => {
    for (const how of ["workerData", "postMessage"] as const) {
      it.effect(`is given its handle by ${how}`, () =>
        Effect.gen(function* () {
          const { answer } = yield* callerThread({ what: "double", handle: yield* NodeBlocking.handle(Work) }, how)
          assert.deepStrictEqual(yield* answer, [42, "failure(TooSmall)"])
        }).pipe(Effect.provide(layer))
      )
    }

    it.effect("is answered when its handle's scope ends while it is blocked", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const handle = yield* Scope.provide(NodeBlocking.handle(Work), scope)
        const { answer } = yield* callerThread({ what: "hang", handle }, "workerData")
        const pool = yield* Work
        yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 1))
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* answer, "Released")
        yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
      }).pipe(Effect.provide(layer))
    )

    it.effect("is answered when its handle's scope ends while it waits for room", () =>
      Effect.gen(function* () {
        const pool = yield* Work
        const scope = yield* Scope.make()
        const handle = yield* Scope.provide(NodeBlocking.handle(Work), scope)
        const isFull = new Int32Array(new SharedArrayBuffer(4))
        const { answer } = yield* callerThread({ what: "room", handle, isFull }, "workerData")
        yield* eventually(() => assert.strictEqual(Atomics.load(isFull, 0), 1))
        // It has room, and its call is on the way to the pool.
        yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 1))
        // Nothing shows that it waits by now. It is told the same when it comes to that later.
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* answer, [true, "Released"])
      }).pipe(Effect.provide(oneAtATime))
    )

    it.effect("leaves nothing behind when it is terminated while it is blocked", () =>
      Effect.gen(function* () {
        const pool = yield* Work
        const scope = yield* Scope.make()
        const handle = yield* Scope.provide(NodeBlocking.handle(Work), scope)
        const { worker } = yield* callerThread({ what: "hang", handle }, "workerData")
        yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 1))
        yield* Effect.promise(() => worker.terminate())
        yield* Scope.close(scope, Exit.void)
        yield* eventually(() => assert.strictEqual(HostPool.stats(pool).active, 0))
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("a pool that may grow", () => {
  it.live("does for a blocked caller that finds no idle thread", () =>
    Effect.gen(function* () {
      const handle = yield* NodeBlocking.handle(Work)
      const task = { what: "room", handle, isFull: new Int32Array(new SharedArrayBuffer(4)) } as const
      const { answer } = yield* callerThread(task, "workerData")
      assert.deepStrictEqual(yield* answer, [true, "started"])
      assert.deepInclude(HostPool.stats(yield* Work), { threads: 2 })
    }).pipe(
      Effect.scoped,
      Effect.provide(
        NodeHostPool.layer(Work, { program: workProgram, size: { min: 1, max: 2 }, concurrency: 1, grace: "50 millis" })
      )
    )
  )
})

describe("a pool in the application's thread", () => {
  it.effect("counts each call of a handle once, also when that ends while an answer is written", () =>
    Effect.gen(function* () {
      const pool = yield* Layer.build(
        Work.layer(
          {
            ...handlers,
            trap: () =>
              Effect.succeed({
                get n() {
                  Effect.runFork(Scope.close(scope, Exit.void))
                  return 1
                }
              })
          },
          { concurrency: 2, capacity: 0 }
        )
      )
      const scope = yield* Scope.make()
      const handleOf = Effect.provide(NodeBlocking.handle(Work), pool)
      const handle = yield* handleOf
      yield* callerThread({ what: "hang", handle }, "workerData")
      yield* eventually(() => assert.strictEqual(HostPool.stats(Context.get(pool, Work)).active, 1))
      const left = yield* callerThread({ what: "trap", handle: yield* Scope.provide(handleOf, scope) }, "workerData")
      assert.strictEqual(yield* left.answer, "Released")
      const { answer } = yield* callerThread({ what: "fill", handle: yield* handleOf }, "workerData")
      assert.strictEqual(yield* answer, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("runs calls of another thread without the deadline and the span that its layer was built in", () =>
    Effect.gen(function* () {
      const pool = yield* Layer.build(Work.layer(handlers)).pipe(Deadline.within("1 hour"), Effect.withSpan("start"))
      const handle = yield* Effect.provide(NodeBlocking.handle(Work), pool)
      const { answer } = yield* callerThread({ what: "surroundings", handle }, "workerData")
      assert.deepStrictEqual(yield* answer, [Infinity, false])
    }).pipe(Effect.scoped)
  )
})

describe("a pool whose owner is a worker", () => {
  it.live("tells who is blocked on it that its owner has ended", () =>
    Effect.gen(function* () {
      const owner = yield* Effect.acquireRelease(
        Effect.sync(() => new Worker(new URL("../fixtures/poolOwner.worker.ts", import.meta.url))),
        (owner) => Effect.promise(() => owner.terminate())
      )
      const handle = yield* Effect.promise<Blocking.Handle<Work>>(
        () => new Promise((resolve) => owner.once("message", resolve))
      )
      const isUsed = new Promise((resolve) => owner.once("message", resolve))
      const { answer } = yield* callerThread({ what: "hang", handle }, "workerData")
      yield* Effect.promise(() => isUsed)
      yield* Effect.promise(() => owner.terminate())
      assert.strictEqual(yield* answer, "ThreadLost")
    })
  )
})

describe("a plugin's functions, as those of a pool", () => {
  const executors = { "in the application's thread": GuestExecutor.layer(), "on a thread": NodeGuestThread.layer() }
  for (const [where, executor] of Object.entries(executors)) {
    it.live(`with the guest ${where}: another thread blocks for them, and its own host's thread is refused`, () =>
      Effect.gen(function* () {
        const { answer } = yield* callerThread(
          { what: "guest", handle: yield* NodeBlocking.handle(GuestPool) },
          "workerData"
        )
        assert.deepStrictEqual(yield* answer, ["from a blocked thread", "Trapped"])
        using guest = NodeBlocking.open(GuestPool, yield* NodeBlocking.handle(GuestPool))
        // The host functions of the guest live here.
        assert.strictEqual(reasonOf(guest.viaHost.run({ text: "" }))._tag, "WouldDeadlock")
      }).pipe(
        Effect.provide(
          guestPool.pipe(
            Layer.provide(Conformance.layer({ module: conformanceModule })),
            Layer.provide(Layer.merge(conformanceHost(), executor))
          )
        )
      )
    )
  }
})

describe("blocking on what only the blocked thread can answer is refused", () => {
  const ring = ThreadPool.make(Ring, { program: new URL("../fixtures/ring.worker.ts", import.meta.url) }).pipe(
    Effect.provide(NodeThreads.layer())
  )
  const handleOf = (pool: Ring["Service"]) => Effect.provideService(NodeBlocking.handle(Ring), Ring, pool)

  it.effect("in the thread of the pool itself", () =>
    Effect.gen(function* () {
      assert.strictEqual(pass([yield* NodeBlocking.handle(Ring)]), "WouldDeadlock")
    }).pipe(Effect.provide(Ring.layer(ringHandlers)))
  )

  it.effect("in a function of the pool, and over any number of pools", () =>
    Effect.gen(function* () {
      const [a, b, c] = [yield* ring, yield* ring, yield* ring]
      const to = [handleOf(a), handleOf(b), handleOf(c)] as const
      const way = (...pools: ReadonlyArray<0 | 1 | 2>) => Effect.forEach(pools, (pool) => to[pool])
      assert.strictEqual(yield* a.pass({ handles: yield* way(1, 2) }), "the end")
      assert.strictEqual(yield* a.pass({ handles: yield* way(0) }), "WouldDeadlock")
      assert.strictEqual(yield* a.pass({ handles: yield* way(1, 0) }), "WouldDeadlock")
      assert.strictEqual(yield* a.pass({ handles: yield* way(1, 2, 1) }), "WouldDeadlock")
      assert.strictEqual(yield* a.pass({ handles: yield* way(1, 2, 0) }), "WouldDeadlock")
      assert.strictEqual(yield* a.pass({ handles: yield* way(1, 2) }), "the end")
    })
  )

  it.effect("but not while another thread could answer, or is about to be started", () =>
    Effect.gen(function* () {
      const two = yield* ThreadPool.make(Ring, {
        program: new URL("../fixtures/ring.worker.ts", import.meta.url),
        size: 2
      }).pipe(Effect.provide(NodeThreads.layer()))
      const one = yield* ring
      // From a thread of the first pool over the second and back: its other thread answers.
      const handles = [yield* handleOf(one), yield* handleOf(two)]
      assert.strictEqual(yield* two.pass({ handles }), "the end")
    })
  )

  it.effect("but not while another thread is started for it", () =>
    Effect.gen(function* () {
      const growing = yield* ThreadPool.make(Ring, {
        program: new URL("../fixtures/ring.worker.ts", import.meta.url),
        size: { min: 1, max: 2 }
      }).pipe(Effect.provide(NodeThreads.layer()))
      const handles = [yield* handleOf(growing), yield* handleOf(growing)]
      assert.strictEqual(HostPool.stats(growing).threads, 1)
      assert.strictEqual(yield* growing.pass({ handles: handles.slice(1) }), "the end")
      assert.strictEqual(HostPool.stats(growing).threads, 2)
      // Both wait for the one that may be the third.
      const more = yield* handleOf(growing)
      assert.strictEqual(yield* growing.pass({ handles: [handles[0]!, more] }), "WouldDeadlock")
    })
  )

  it.effect("when the thread that would have been one more cannot begin", () =>
    Effect.gen(function* () {
      const real = yield* Thread.Threads
      let starts = 0
      const once: typeof real = {
        ...real,
        start: (program) =>
          ++starts === 1
            ? real.start(program)
            : Effect.fail(
                new Thread.ThreadError({
                  thread: program.name,
                  reason: new Thread.StartFailed({ detail: "there is no memory for it" })
                })
              )
      }
      const growing = yield* ThreadPool.make(Ring, {
        program: new URL("../fixtures/ring.worker.ts", import.meta.url),
        size: { min: 1, max: 2 }
      }).pipe(Effect.provideService(Thread.Threads, once))
      const handles = [yield* handleOf(growing)]
      assert.strictEqual(yield* growing.pass({ handles }), "WouldDeadlock")
      assert.isAbove(starts, 1)
    }).pipe(Effect.provide(NodeThreads.layer()))
  )

  it.effect("in the thread that would have to start another", () =>
    Effect.gen(function* () {
      const growing = yield* ThreadPool.make(Ring, {
        program: new URL("../fixtures/ring.worker.ts", import.meta.url),
        size: { min: 1, max: 2 }
      }).pipe(Effect.provide(NodeThreads.layer()))
      assert.strictEqual(pass([yield* handleOf(growing), yield* handleOf(growing)]), "WouldDeadlock")
    })
  )

  it.effect("while what its thread has answered before is not held up", () =>
    Effect.gen(function* () {
      const threads = yield* ring
      const first = yield* Deferred.make<void>()
      const here = yield* Layer.build(
        Ring.layer({ pass: () => Effect.as(Deferred.await(first), "after the first") })
      ).pipe(Effect.map(Context.get(Ring)))
      const answers = yield* Effect.all(
        [
          Effect.tap(threads.pass({ handles: [] }), () => Deferred.succeed(first, undefined)),
          threads.pass({ handles: [yield* handleOf(here)] })
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers, ["the end", "after the first"])
    })
  )

  it.effect("through the thread that owns the pool", () =>
    Effect.gen(function* () {
      const threads = yield* ring
      const here = yield* Ring
      // Nobody is blocked here, so what comes back here is answered.
      assert.strictEqual(yield* threads.pass({ handles: [yield* NodeBlocking.handle(Ring)] }), "the end")
      const handles = [yield* handleOf(threads), yield* handleOf(here)]
      assert.strictEqual(pass(handles), "WouldDeadlock")
      assert.strictEqual(pass([yield* handleOf(threads)]), "the end")
    }).pipe(Effect.provide(Ring.layer(ringHandlers)))
  )
})

describe("threads that block on each other", () => {
  /** Each has handles of those that follow it, of so many. */
  const holders = Effect.fnUntraced(function* (size: number, known: number) {
    const pools = yield* Effect.all(
      Array.from({ length: size }, () =>
        ThreadPool.make(Holder, { program: new URL("../fixtures/token.worker.ts", import.meta.url), concurrency: 4 })
      ),
      { concurrency: "unbounded" }
    )
    for (let i = 0; i < size; i++) {
      const following = Array.from({ length: known }, (_, j) => pools[(i + j + 1) % size]!)
      const others = yield* Effect.forEach(following, (pool) =>
        Effect.provideService(NodeBlocking.handle(Holder), Holder, pool)
      )
      yield* pools[i]!.meet({ others })
    }
    return pools
  }, Effect.provide(NodeThreads.layer()))

  it.live("are not refused while only one at a time does, whoever it has just answered", () =>
    Effect.gen(function* () {
      const pools = yield* holders(3, 2)
      // One answers in the next turn only, the others at once.
      yield* Effect.forkChild(pools[0]!.stay())
      const token = Token.of(300)
      yield* pools[0]!.take({ token: token.memory })
      assert.strictEqual(yield* token.ended, "arrived")
    })
  )

  for (const size of [2, 3]) {
    it.live(`are refused when all of them do: ${size}`, () =>
      Effect.gen(function* () {
        const pools = yield* holders(size, 1)
        for (let round = 0; round < 100; round++) {
          const gate = new SharedArrayBuffer(4)
          const ends = yield* Effect.all(
            pools.map((pool) => pool.close({ gate, size })),
            { concurrency: "unbounded" }
          )
          assert.include(ends, "WouldDeadlock")
          assert.notInclude(ends, "another failure")
        }
      })
    )
  }
})

describe("ten thousand calls", () => {
  const seed = Number(process.env["CHAOS_SEED"] ?? 20261126)
  const calls = Number(process.env["CHAOS_CALLS"] ?? 10_000) / 4

  it.live(
    "of four threads with random time-outs, disposals and lost threads: each ends with its own answer, or says why not",
    () =>
      Effect.gen(function* () {
        const pool = yield* Crew
        const beats = yield* Effect.forkChild(
          Effect.forever(Effect.andThen(Effect.exit(pool.echo({ id: 2 })), Effect.yieldNow))
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const callers = yield* Effect.forEach([1, 2, 3, 4], (caller) =>
              Effect.flatMap(NodeBlocking.handle(Crew), (handle) =>
                callerThread({ what: "chaos", handle, seed: seed + caller, calls }, "workerData")
              )
            )
            for (const { answer } of callers) {
              const { counts } = (yield* answer) as Outcomes
              assert.isAbove(counts["answered"] ?? 0, calls / 10, `seed ${seed}: ${JSON.stringify(counts)}`)
              const known = ["answered", "Sorry", "disposed", "TimedOut", "NoRoom", "ThreadLost", "ended", "not ended"]
              for (const what of Object.keys(counts)) assert.include(known, what, `seed ${seed}`)
            }
          })
        )
        yield* Fiber.interrupt(beats)
        yield* eventually(() => {
          const { active, threads, waiting } = HostPool.stats(pool)
          assert.deepStrictEqual({ active, threads, waiting }, { active: 0, threads: 2, waiting: 0 }, `seed ${seed}`)
        })
      }).pipe(Effect.provide(crew({ size: 2, concurrency: 8 }))),
    300_000
  )
})
