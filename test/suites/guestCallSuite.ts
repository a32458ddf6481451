import { assert, describe, layer } from "@effect/vitest"
import { type GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Cause, Effect, Exit, Fiber, Layer } from "effect"
import { Allocations } from "../fixtures/allocations.ts"
import { Conformance, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { eventually } from "../fixtures/eventually.ts"
import { randomOf, shuffle } from "../fixtures/random.ts"
import { steered } from "../fixtures/steered.ts"
import type { Topology } from "../fixtures/topologies.ts"

/** Many calls at once, answered in any order, interrupted at any moment. */
export const guestCallSuite = ({ conformance, counted, executor, name }: Topology) =>
  layer(Layer.merge(executor(), conformance))(`calls of a guest ${name}`, (it) => {
    /** With an executor of the test's own. */
    const on = <A, E, R>(options: GuestExecutor.Options, effect: Effect.Effect<A, E, R>) =>
      Effect.flatMap(Layer.build(executor(options)), (context) => Effect.provide(effect, context))

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
              const { answer, guest, started } = yield* steered
              // Some answers are there before the guest asks.
              const early = seed % 3 === 0 ? ids.filter(() => random() < 0.3) : []
              yield* Effect.forEach(early, answer)
              const call = yield* Effect.forkChild(guest.join({ count: 30 }), { startImmediately: true })
              yield* eventually(() => assert.deepStrictEqual(started, ids))
              yield* answers(answer, random)
              assert.deepStrictEqual(yield* Fiber.join(call), ids, `seed ${seed}`)
              yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
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
          const { answer, guest } = yield* steered
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
        const { answer, guest, started } = yield* steered
        const ids = Array.from({ length: 1000 }, (_, id) => id + 1000)
        const calls = yield* Effect.forEach(ids, (id) =>
          Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
        )
        yield* eventually(() => assert.deepStrictEqual(started, ids))
        yield* Effect.forEach(shuffle(ids, randomOf(7)), answer)
        assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), ids)
        yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
      })
    )

    describe("interruption", () => {
      it.effect("settles the call at once, interrupts its host functions, and leaves siblings alone", () =>
        Effect.gen(function* () {
          const { answer, guest, interrupted, started } = yield* steered
          const call = yield* Effect.forkChild(guest.join({ count: 3 }), { startImmediately: true })
          const sibling = yield* Effect.forkChild(guest.sequence({ count: 6 }), { startImmediately: true })
          yield* eventually(() => assert.deepStrictEqual(started, [0, 1, 2, 0]))
          yield* Effect.forEach([1], answer)
          yield* Fiber.interrupt(call)
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(call)))
          yield* eventually(() => assert.deepStrictEqual(interrupted, [0, 2]))
          // The sibling waits for the same ids, through host functions of its own.
          yield* Effect.forEach([0, 1, 2, 3, 4, 5], answer)
          assert.deepStrictEqual(yield* Fiber.join(sibling), [0, 1, 2, 3, 4, 5])
          assert.deepStrictEqual(interrupted, [0, 2])
        })
      )

      it.effect("at every await of a call: it ends at once, a sibling answers, and what is left is counted", () =>
        Effect.gen(function* () {
          const count = 6
          const interruptAt = Effect.fn(function* (kind: "join" | "sequence", answered: number) {
            const { answer, guest, interrupted, started } = yield* steered
            const sibling = yield* Effect.forkChild(guest.via_host_try({ id: 1000 }), { startImmediately: true })
            const call = yield* Effect.forkChild(guest[kind]({ count }), { startImmediately: true })
            for (let id = 0; id < answered; id++) yield* answer(id)
            const asked = kind === "join" ? count : answered + 1
            const waiting = asked - answered
            yield* eventually(() => assert.strictEqual(started.length, 1 + asked))
            yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 1 + waiting))
            yield* Fiber.interrupt(call)
            assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(call)))
            yield* eventually(() => assert.strictEqual(interrupted.length, waiting))
            yield* answer(1000)
            assert.strictEqual(yield* Fiber.join(sibling), 1000)
            yield* eventually(() => assert.deepInclude(inHand(guest), { calls: 0, hostCalls: 0, abandoned: waiting }))
            assert.isNumber(yield* guest.early())
          })
          for (const kind of ["join", "sequence"] as const) {
            for (let answered = 0; answered < count; answered++) yield* Effect.scoped(interruptAt(kind, answered))
          }
        })
      )

      it.effect("with an Err for it in the contract, the guest cleans up and everything is freed", () =>
        Effect.gen(function* () {
          const { guest, interrupted, started } = yield* steered
          const calls = yield* Effect.forEach(
            Array.from({ length: 100 }, (_, id) => id),
            (id) => Effect.forkChild(guest.cleanup({ id }), { startImmediately: true })
          )
          yield* eventually(() => assert.strictEqual(started.length, 100))
          const before = Plugin.stats(guest)[0]!.memory
          yield* Effect.forEach(calls, (call) => Fiber.interrupt(call))
          yield* eventually(() => assert.strictEqual(interrupted.length, 100))
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
          assert.strictEqual(Plugin.stats(guest)[0]!.memory, before)
        })
      )

      it.effect("without one, the guest's futures are counted as abandoned", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* steered
          const call = yield* Effect.forkChild(guest.join({ count: 5 }), { startImmediately: true })
          yield* eventually(() => assert.strictEqual(started.length, 5))
          yield* Fiber.interrupt(call)
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), { ...nothing, abandoned: 5 }))
          yield* answer(7)
          assert.strictEqual(yield* guest.via_host_try({ id: 7 }), 7)
        })
      )

      it.effect("of a call that waits for room: it never enters, and keeps no place", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* on({ concurrency: 1, capacity: 1 }, steered)
          const calls = yield* Effect.forEach([1, 2, 3], (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          yield* eventually(() => assert.deepStrictEqual(started, [1]))
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
          const guest = yield* guestOf({
            host_delay: ({ id }) =>
              Effect.sync(() => {
                caller?.interruptUnsafe()
                return id
              })
          })
          caller = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, guest.sequence({ count: 3 })))
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
          caller = undefined
          assert.deepStrictEqual(yield* guest.sequence({ count: 3 }), [0, 1, 2])
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
        })
      )

      it.effect("of the call whose host function interrupts it and then waits: the function is interrupted too", () =>
        Effect.gen(function* () {
          let caller: Fiber.Fiber<unknown, unknown> | undefined
          const interrupted: Array<number> = []
          const leave = Effect.andThen(
            Effect.sync(() => caller?.interruptUnsafe()),
            Effect.never
          )
          const guest = yield* guestOf({
            // The second is called by an answer, while the caller's fiber waits.
            host_delay: ({ id }) =>
              id === 0
                ? Effect.as(Effect.yieldNow, id)
                : Effect.onInterrupt(leave, () => Effect.sync(() => interrupted.push(id)))
          })
          caller = yield* Effect.forkChild(guest.sequence({ count: 2 }))
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
          yield* eventually(() => assert.deepStrictEqual(interrupted, [1]))
          // The guest never settles the call, whose second answer does not come, and so holds on to the first.
          yield* eventually(() =>
            assert.deepStrictEqual(inHand(guest), { ...nothing, abandoned: 1, heldAsyncValues: 1 })
          )
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
          const guest = yield* on(options, guestOf({ host_try }))
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
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
          const { memory } = Plugin.stats(guest)[0]!
          yield* run(2000, 10_000)
          assert.sameMembers(Array.from(outcomes), ["Success", "Failure"])
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
          assert.strictEqual(Plugin.stats(guest)[0]!.memory, memory)
        })
      )
    })

    describe("host functions that outlive their call", () => {
      it.effect("a race's loser runs on, and its answer is taken and freed", () =>
        Effect.gen(function* () {
          const { answer, guest, interrupted, started } = yield* steered
          const call = yield* Effect.forkChild(guest.race({ a: 1, b: 2 }), { startImmediately: true })
          yield* eventually(() => assert.deepStrictEqual(started, [1, 2]))
          yield* answer(2)
          assert.strictEqual(yield* Fiber.join(call), 2)
          assert.strictEqual(inHand(guest).hostCalls, 1)
          yield* answer(1)
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
          assert.deepStrictEqual(interrupted, [])
        })
      )
      it.effect("a sync call that wakes another: the other's host call is not tied to it", () =>
        Effect.gen(function* () {
          const { answer, guest, interrupted, started } = yield* steered
          const waiter = yield* Effect.forkChild(guest.wait_signal(), { startImmediately: true })
          const waker = yield* Effect.forkChild(guest.send_signal({ value: 77 }), { startImmediately: true })
          assert.strictEqual(yield* Fiber.join(waker), 1)
          yield* Fiber.interrupt(waker)
          yield* eventually(() => assert.deepStrictEqual(started, [77]))
          yield* answer(77)
          assert.strictEqual(yield* Fiber.join(waiter), 77)
          assert.deepStrictEqual(interrupted, [])
        })
      )
    })

    describe("room", () => {
      it.effect("callers wait their turn, in order, when it is full", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* on({ concurrency: 2, capacity: 3 }, steered)
          const ids = Array.from({ length: 20 }, (_, id) => id)
          const calls = yield* Effect.forEach(ids, (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          yield* eventually(() => assert.deepStrictEqual(started, [0, 1]))
          yield* Effect.forEach(ids, answer)
          assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), ids)
          assert.deepStrictEqual(started, ids)
        })
      )
      it.effect("a caller whose place in the line and whose turn come at once enters once", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* on({ concurrency: 1, capacity: 1 }, steered)
          const [active, waiting, suspended] = yield* Effect.forEach([1, 2, 3], (id) =>
            Effect.forkChild(guest.via_host_try({ id }), { startImmediately: true })
          )
          yield* eventually(() => assert.deepStrictEqual(started, [1]))
          yield* Effect.sync(() => {
            waiting!.interruptUnsafe()
            active!.interruptUnsafe()
          })
          yield* eventually(() => assert.deepStrictEqual(started, [1, 3]))
          yield* answer(3)
          assert.strictEqual(yield* Fiber.join(suspended!), 3)
          yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
          assert.deepStrictEqual(started, [1, 3])
        })
      )
      it.effect("or fail with NoRoom, when the layer says so", () =>
        Effect.gen(function* () {
          const { answer, guest } = yield* on({ concurrency: 1, capacity: 1, whenFull: "fail" }, steered)
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
        // One at a time: a nested call is part of the one that is active.
        const reentrant = guestOf({ host_reenter: ({ depth }) => Effect.orDie(self.guest!.reenter({ depth })) })
        self.guest = yield* on({ concurrency: 1, capacity: 0 }, reentrant)
        assert.strictEqual(yield* self.guest.reenter({ depth: 20 }), 20)
      })
    )

    it.effect("what the host takes from the guest's allocator is given back, once, at its length", () =>
      Effect.gen(function* () {
        const allocations = yield* Allocations
        const guest = yield* guestOf({})
        const count = 1000
        yield* Effect.forEach(Array.from({ length: count }), () => guest.via_host_echo({ text: "a text" }), {
          concurrency: 64,
          discard: true
        })
        yield* eventually(() => assert.deepStrictEqual(inHand(guest), nothing))
        const { free, malloc } = yield* allocations.take
        // Each call: its argument and the host's answer (7 bytes) for the guest to free, and an AsyncValue for the import.
        assert.deepStrictEqual(Object.fromEntries(malloc), { 7: 2 * count, 12: count })
        // The import's argument and the export's answer (7 bytes), and the AsyncValues of the import and the export.
        assert.deepStrictEqual(Object.fromEntries(free), { 7: 2 * count, 12: 2 * count })
      }).pipe(Effect.provide(counted))
    )
  })

const guestOf = (replaced: Parameters<typeof hostOf>[0]) =>
  Effect.provide(Conformance.make({ module: conformanceModule }), hostOf(replaced))

const inHand = (guest: Conformance["Service"]) => {
  const { abandoned, calls, heldAsyncValues, hostCalls } = Plugin.stats(guest)[0]!
  return { calls, hostCalls, abandoned, heldAsyncValues }
}

const nothing = { calls: 0, hostCalls: 0, abandoned: 0, heldAsyncValues: 0 }
