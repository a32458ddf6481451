import { assert, describe, it } from "@effect/vitest"
import { type GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import { countAllocations } from "../fixtures/allocations.ts"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { steered } from "../fixtures/steered.ts"

/** Many calls at once, answered in any order, interrupted at any moment. */
export const guestCallSuite = (
  name: string,
  layer: (options?: GuestExecutor.Options) => Layer.Layer<GuestExecutor.GuestExecutor>
) =>
  describe(name, () => {
    const executor = layer()

    describe("host calls joined by one guest function", () => {
      const ids = Array.from({ length: 30 }, (_, id) => id)
      const join = Effect.fn(function* (
        answers: (answer: (id: number) => Effect.Effect<unknown>, random: () => number) => Effect.Effect<unknown>,
        seeds: number
      ) {
        for (let seed = 1; seed <= seeds; seed++) {
          const random = randomOf(seed)
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { answer, guest, started } = yield* steered(executor)
              // Some answers are there before the guest asks.
              const early = seed % 3 === 0 ? ids.filter(() => random() < 0.3) : []
              yield* Effect.forEach(early, answer)
              const call = yield* Effect.forkChild(guest.join({ count: 30 }), { startImmediately: true })
              assert.deepStrictEqual(started, ids)
              yield* answers(answer, random)
              assert.deepStrictEqual(yield* Fiber.join(call), ids, `seed ${seed}`)
              assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
            })
          )
        }
      })
      it.effect("answered one by one, in 200 orders", () =>
        join((answer, random) => Effect.forEach(shuffle(ids, random), answer), 200)
      )
      it.effect("answered with turns between", () =>
        join(
          (answer, random) => Effect.forEach(shuffle(ids, random), (id) => Effect.andThen(answer(id), Effect.yieldNow)),
          30
        )
      )
      it.effect("answered from fibers of their own", () =>
        join(
          (answer, random) =>
            Effect.forEach(shuffle(ids, random), (id) => Effect.andThen(Effect.yieldNow, answer(id)), {
              concurrency: "unbounded"
            }),
          30
        )
      )
      it.effect("31 trap in the guest, and the error says why", () =>
        Effect.gen(function* () {
          const { answer, guest } = yield* steered(executor)
          const error = yield* Effect.flip(guest.join({ count: 31 }))
          assert.strictEqual(error.reason._tag, "Trapped")
          assert.match(error.message, /more than 30 host functions.*join_all/)
          yield* answer(0)
          assert.strictEqual((yield* Effect.flip(guest.early())).reason._tag, "Poisoned")
        })
      )
    })

    it.effect("1,000 calls in flight: each caller gets its own answer, whatever the order", () =>
      Effect.gen(function* () {
        const { answer, guest, started } = yield* steered(executor)
        const ids = Array.from({ length: 1000 }, (_, id) => id + 1000)
        const calls = yield* Effect.forEach(ids, (id) =>
          Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
        )
        assert.deepStrictEqual(started, ids)
        yield* Effect.forEach(shuffle(ids, randomOf(7)), answer)
        assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), ids)
        assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
      })
    )

    describe("interruption", () => {
      it.effect("settles the call at once, interrupts its host functions, and leaves siblings alone", () =>
        Effect.gen(function* () {
          const { answer, guest, interrupted } = yield* steered(executor)
          const call = yield* Effect.forkChild(guest.join({ count: 3 }), { startImmediately: true })
          const sibling = yield* Effect.forkChild(guest.sequence({ count: 6 }), { startImmediately: true })
          yield* Effect.forEach([1], answer)
          yield* Fiber.interrupt(call)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(call)))
          assert.includeMembers(interrupted, [0, 2])
          // The sibling waits for the same ids, through host functions of its own.
          yield* Effect.forEach([0, 1, 2, 3, 4, 5], answer)
          assert.deepStrictEqual(yield* Fiber.join(sibling), [0, 1, 2, 3, 4, 5])
        })
      )

      it.effect("with an Err for it in the contract, the guest cleans up and everything is freed", () =>
        Effect.gen(function* () {
          const { guest, interrupted } = yield* steered(executor)
          const calls = yield* Effect.forEach(
            Array.from({ length: 100 }, (_, id) => id),
            (id) => Effect.forkChild(guest.cleanup({ id }), { startImmediately: true })
          )
          const before = Plugin.stats(guest)[0]!.memory
          yield* Effect.forEach(calls, (call) => Fiber.interrupt(call))
          yield* Effect.yieldNow
          assert.strictEqual(interrupted.length, 100)
          assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
          assert.strictEqual(Plugin.stats(guest)[0]!.memory, before)
        })
      )

      it.effect("without one, the guest's futures are counted as abandoned", () =>
        Effect.gen(function* () {
          const { answer, guest } = yield* steered(executor)
          const call = yield* Effect.forkChild(guest.join({ count: 5 }), { startImmediately: true })
          yield* Fiber.interrupt(call)
          yield* Effect.yieldNow
          assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 5)
          yield* answer(7)
          assert.strictEqual(yield* guest.via_host_try({ id: 7 }), 7)
        })
      )

      it.effect("of a call that waits for room: it never enters, and keeps no place", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* steered(layer({ concurrency: 1, capacity: 1 }))
          const calls = yield* Effect.forEach([1, 2, 3], (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          assert.deepStrictEqual(started, [1])
          yield* Fiber.interrupt(calls[1]!)
          yield* Effect.forEach([1, 2, 3], answer)
          assert.strictEqual(yield* Fiber.join(calls[0]!), 1)
          assert.strictEqual(yield* Fiber.join(calls[2]!), 3)
          assert.deepStrictEqual(started, [1, 3])
        })
      )

      it.effect("of the call whose host function interrupts it, from the guest's stack", () =>
        Effect.gen(function* () {
          let caller: Fiber.Fiber<unknown, unknown> | undefined
          const host = conformanceHost({
            host_delay: ({ id }) =>
              Effect.sync(() => {
                caller?.interruptUnsafe()
                return id
              })
          })
          const context = yield* Layer.build(Layer.merge(executor, host))
          const guest = yield* Effect.provide(Conformance.make({ module: conformanceModule }), context)
          caller = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, guest.sequence({ count: 3 })))
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
          caller = undefined
          assert.deepStrictEqual(yield* guest.sequence({ count: 3 }), [0, 1, 2])
          assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
        })
      )

      it.effect.each<readonly [room: string, options: GuestExecutor.Options]>([
        ["room for all", {}],
        ["room for few", { concurrency: 3, capacity: 4 }]
      ])("of callers at random moments, with %s: every other call answers, and nothing is left", ([, options]) =>
        Effect.gen(function* () {
          const random = randomOf(194)
          const outcomes = new Set<string>()
          const entered = new Set<number>()
          const host_try = ({ id }: { readonly id: number }) =>
            Effect.suspend(() => {
              assert.isFalse(entered.has(id), "a call enters once")
              entered.add(id)
              return Effect.as(Effect.repeat(Effect.yieldNow, { times: id % 5 }), id)
            })
          const context = yield* Layer.build(Layer.merge(layer(options), conformanceHost({ host_try })))
          const guest = yield* Effect.provide(Conformance.make({ module: conformanceModule }), context)
          const run = (first: number, count: number) =>
            Effect.forEach(
              Array.from({ length: count }, (_, i) => first + i),
              Effect.fnUntraced(function* (id) {
                const call = yield* Effect.forkChild(guest.cleanup({ id }), { startImmediately: random() < 0.5 })
                yield* Effect.repeat(Effect.yieldNow, { times: Math.floor(random() * 4) })
                const leaves = random() < 0.5
                if (leaves) yield* Fiber.interrupt(call)
                const exit = yield* Fiber.await(call)
                if (Exit.isSuccess(exit)) assert.strictEqual(exit.value, id)
                else assert.isTrue(leaves && Cause.hasInterruptsOnly(exit.cause))
                outcomes.add(exit._tag)
              }),
              { concurrency: 64, discard: true }
            )
          yield* run(0, 2000)
          const { memory } = Plugin.stats(guest)[0]!
          yield* run(2000, 10_000)
          yield* Effect.repeat(Effect.yieldNow, { times: 20 })
          assert.sameMembers(Array.from(outcomes), ["Success", "Failure"])
          assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
          assert.strictEqual(Plugin.stats(guest)[0]!.memory, memory)
        })
      )
    })

    describe("host functions that outlive their call", () => {
      it.effect("a race's loser runs on, and its answer is taken and freed", () =>
        Effect.gen(function* () {
          const { answer, guest, interrupted } = yield* steered(executor)
          const call = yield* Effect.forkChild(guest.race({ a: 1, b: 2 }), { startImmediately: true })
          yield* answer(2)
          assert.strictEqual(yield* Fiber.join(call), 2)
          assert.strictEqual(idle(guest).hostCalls, 1)
          yield* answer(1)
          yield* Effect.yieldNow
          assert.deepStrictEqual(interrupted, [])
          assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
        })
      )
      it.effect("a sync call that wakes another: the other's host call is not tied to it", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* steered(executor)
          const waiter = yield* Effect.forkChild(guest.wait_signal(), { startImmediately: true })
          const waker = yield* Effect.forkChild(guest.send_signal({ value: 77 }), { startImmediately: true })
          assert.strictEqual(yield* Fiber.join(waker), 1)
          yield* Fiber.interrupt(waker)
          assert.deepStrictEqual(started, [77])
          yield* answer(77)
          assert.strictEqual(yield* Fiber.join(waiter), 77)
        })
      )
    })

    describe("room", () => {
      it.effect("callers wait their turn, in order, when it is full", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* steered(layer({ concurrency: 2, capacity: 3 }))
          const ids = Array.from({ length: 20 }, (_, id) => id)
          const calls = yield* Effect.forEach(ids, (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          assert.deepStrictEqual(started, [0, 1])
          yield* Effect.forEach(ids, answer)
          assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), ids)
          assert.deepStrictEqual(started, ids)
        })
      )
      it.effect("a caller whose place in the line and whose turn come at once enters once", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* steered(layer({ concurrency: 1, capacity: 1 }))
          const [active, waiting, suspended] = yield* Effect.forEach([1, 2, 3], (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          yield* Effect.sync(() => {
            waiting!.interruptUnsafe()
            active!.interruptUnsafe()
          })
          yield* Effect.repeat(Effect.yieldNow, { times: 5 })
          assert.deepStrictEqual(started, [1, 3])
          yield* answer(3)
          assert.strictEqual(yield* Fiber.join(suspended!), 3)
          assert.deepStrictEqual(idle(guest), { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 })
        })
      )
      it.effect("or fail with NoRoom, when the layer says so", () =>
        Effect.gen(function* () {
          const { answer, guest } = yield* steered(layer({ concurrency: 1, capacity: 1, whenFull: "fail" }))
          const calls = yield* Effect.forEach([1, 2], (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          const error = yield* Effect.flip(guest.via_host_try({ id: 3 }))
          assert.strictEqual("reason" in error && error.reason._tag, "NoRoom")
          yield* Effect.forEach([1, 2], answer)
          assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), [1, 2])
        })
      )
    })

    it.effect("a re-entrant call of a host function waits its turn", () =>
      Effect.gen(function* () {
        const self: { guest?: Conformance["Service"] } = {}
        const host = conformanceHost({ host_reenter: ({ depth }) => Effect.orDie(self.guest!.reenter({ depth })) })
        // One at a time: a nested call is part of the one that is active.
        const context = yield* Layer.build(Layer.merge(layer({ concurrency: 1, capacity: 0 }), host))
        self.guest = yield* Effect.provide(Conformance.make({ module: conformanceModule }), context)
        assert.strictEqual(yield* self.guest.reenter({ depth: 20 }), 20)
      })
    )

    it.effect("what the host takes from the guest's allocator is given back, once, at its length", () =>
      Effect.gen(function* () {
        const { free, malloc } = yield* countAllocations
        const context = yield* Layer.build(Layer.merge(executor, conformanceHost()))
        const guest = yield* Effect.provide(Conformance.make({ module: conformanceModule }), context)
        const count = 1000
        yield* Effect.forEach(Array.from({ length: count }), () => guest.via_host_echo({ text: "a text" }), {
          concurrency: 64,
          discard: true
        })
        // Each call: its argument and the host's answer (7 bytes) for the guest to free, and an AsyncValue for the import.
        assert.deepStrictEqual(Object.fromEntries(malloc), { 7: 2 * count, 12: count })
        // The import's argument and the export's answer (7 bytes), and the AsyncValues of the import and the export.
        assert.deepStrictEqual(Object.fromEntries(free), { 7: 2 * count, 12: 2 * count })
      })
    )
  })

const idle = (guest: Conformance["Service"]) => {
  const { abandoned, calls, heldAsyncValues, hostCalls } = Plugin.stats(guest)[0]!
  return { calls, hostCalls, abandoned, heldAsyncValues }
}

/** Mulberry32: numbers from 0 to 1 that a seed decides. */
const randomOf = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const shuffle = <A>(items: ReadonlyArray<A>, random: () => number): ReadonlyArray<A> =>
  items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
