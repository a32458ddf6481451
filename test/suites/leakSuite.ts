import { assert, describe, it } from "@effect/vitest"
import { GuestExecutor, Plugin, PluginModule } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer, Metric } from "effect"
import { Allocations, total } from "../fixtures/allocations.ts"
import { Conformance, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { eventually } from "../fixtures/eventually.ts"
import { collectGarbage, collectYoungGarbage } from "../fixtures/garbage.ts"
import { newResources, resources } from "../fixtures/resources.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { compile, plugin, Wat } from "../fixtures/wat.ts"

/** What calls took is given back, on whichever thread it was taken. `streams`: how many calls, and how many at once. */
export const leakSuite = (topology: Topology, streams: ReadonlyArray<readonly [calls: number, width: number]>) =>
  describe(`a guest ${topology.name} gives back what its calls took`, () => {
    it.live.each(streams)(
      "%i calls with host calls, %i at once",
      ([calls, width]) => steadyStream(topology, calls, width),
      300_000
    )

    it.live("what calls leave is collected while it is young", () => leaveYoungGarbage(topology), 60_000)

    it.live(
      "a thousand instances, one after another and at once",
      () =>
        Effect.gen(function* () {
          const context = yield* Layer.build(Layer.merge(topology.counted, topology.wat))
          const allocations = yield* Effect.provide(Allocations, context)
          const module = yield* PluginModule.make(yield* compile(plugin()))
          const use = Effect.gen(function* () {
            const guest = yield* Effect.provide(Wat.make({ module }), context)
            assert.strictEqual(yield* guest.relay(), "hello")
          })
          const some = (count: number, concurrency: number) =>
            Effect.forEach(Array.from({ length: count }), () => Effect.scoped(use), { concurrency, discard: true })
          yield* some(100, 10)
          const before = resources()
          yield* some(700, 1)
          yield* some(300, 100)
          yield* eventually(() => assert.deepStrictEqual(newResources(before), []))
          // What the engine has on its stack may refer to one more, for a turn.
          yield* Effect.repeat(allocations.take, { until: ({ instances }) => instances === 0 })
          const executor = yield* Effect.provide(GuestExecutor.GuestExecutor, context)
          assert.deepStrictEqual(executor.stats(), { active: 0, nested: 0, waiting: 0, suspended: 0 })
        }),
      60_000
    )
  })

/**
 * What lives as long as the guest is in old space. If it referred to calls that have ended, also by way of what is no longer used
 * itself, the engine would keep all that they refer to until a full collection.
 */
const leaveYoungGarbage = Effect.fn(function* ({ conformance, counted }: Topology) {
  const host = hostOf({ host_echo: ({ text }) => Effect.promise(() => Promise.resolve(text)) })
  const context = yield* Layer.build(Layer.merge(counted, Layer.provide(host, conformance)))
  const guest = yield* Effect.provide(Conformance.make({ module: conformanceModule }), context)
  const stream = (calls: number) =>
    Effect.all(
      Array.from({ length: 64 }, () => Effect.repeat(guest.via_host_echo({ text: "text" }), { times: calls })),
      { concurrency: "unbounded", discard: true }
    )
  const kept: Array<number> = []
  yield* stream(100)
  for (let round = 0; round < 3; round++) {
    // In use for two collections, so it is in old space.
    collectGarbage()
    const before = collectGarbage()
    yield* stream(200)
    collectYoungGarbage()
    kept.push(collectYoungGarbage() - before)
  }
  // One call and its host call are 2 KiB.
  assert.isBelow(Math.min(...kept), 64 * 200 * 400)
})

/**
 * Makes `count` calls of one guest, `width` of them at any moment, each waiting for one host call. Everything that the
 * calls took is given back, and meanwhile nothing grows.
 */
const steadyStream = Effect.fn(function* ({ conformance, counted }: Topology, count: number, width: number) {
  const seen = { leastInFlight: Number.POSITIVE_INFINITY, mostMemory: 0 }
  const self: { stats: () => ReturnType<typeof Plugin.stats>[number] | undefined } = { stats: () => undefined }
  let measuring = false
  const host = hostOf({
    host_echo: ({ text }) =>
      Effect.suspend(() => {
        const { calls, memory } = self.stats()!
        if (measuring) seen.leastInFlight = Math.min(seen.leastInFlight, calls)
        seen.mostMemory = Math.max(seen.mostMemory, memory)
        return Effect.as(Effect.yieldNow, text)
      })
  })
  const context = yield* Layer.build(Layer.merge(counted, Layer.provide(host, conformance)))
  const executor = yield* Effect.provide(GuestExecutor.GuestExecutor, context)
  const allocations = yield* Effect.provide(Allocations, context)
  const guest = yield* Effect.provide(Conformance.make({ module: conformanceModule }), context)
  self.stats = () => Plugin.stats(guest)[0]

  /** As many callers as calls in flight; each calls again when it is answered. */
  const stream = (calls: number) => {
    let next = 0
    const caller = Effect.gen(function* () {
      while (next < calls) {
        const text = `call ${next++ % 1000}`
        const answer = yield* guest.via_host_echo({ text })
        if (answer !== text) assert.strictEqual(answer, text)
        if (next > calls - width) measuring = false
        else if (next === width) measuring = true
      }
    })
    return Effect.all(
      Array.from({ length: width }, () => caller),
      { concurrency: "unbounded", discard: true }
    )
  }

  // What the guest's own allocator keeps for later is there after this.
  yield* stream(20_000)
  yield* eventually(() => assert.deepStrictEqual(inHand(self.stats()!), nothing))
  const before = { memory: self.stats()!.memory, resources: resources() }
  /** How much larger JavaScript's heaps are after the calls, in bytes: the application's and that of the guest's thread. */
  const round = Effect.gen(function* () {
    const { heap: heapBefore } = yield* allocations.take
    const ownBefore = collectGarbage()
    const { fibers, run } = countFibers()
    measuring = false
    yield* run(Effect.flatMap(Effect.forkChild(stream(count)), Fiber.join))
    yield* eventually(() => assert.deepStrictEqual(inHand(self.stats()!), nothing))
    const { free, heap, malloc } = yield* allocations.take
    assert.strictEqual(malloc.get(12), count, "one AsyncValue for each import")
    assert.strictEqual(free.get(12), 2 * count, "the AsyncValues of each import and each export")
    assert.strictEqual(total(malloc), 3 * count)
    assert.strictEqual(total(free), 4 * count)
    yield* eventually(() => assert.strictEqual(fibers.active, 0))
    return Math.max(collectGarbage() - ownBefore, heap - heapBefore)
  })
  // What one more map entry for each call would cost, at the very least. The engine's own caches grow in steps, which
  // may be larger; what calls leave behind grows every time.
  let growth = yield* round
  for (let again = 0; again < 3 && growth >= 16 * count; again++) growth = Math.min(growth, yield* round)
  assert.isBelow(growth, 16 * count, "nothing of a call stays in a heap")

  assert.strictEqual(self.stats()!.memory, before.memory, "guest memory ends where it began")
  assert.strictEqual(seen.mostMemory, before.memory, "and stays level meanwhile")
  assert.isAtLeast(seen.leastInFlight, 64)
  assert.deepStrictEqual(executor.stats(), { active: 0, nested: 0, waiting: 0, suspended: 0 })
  yield* eventually(() => assert.deepStrictEqual(newResources(before.resources), []))
})

/** Fibers that have started and not ended, of what runs with this service. */
const countFibers = () => {
  const fibers = { active: 0 }
  const service: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => {
      fibers.active++
    },
    recordFiberEnd: () => {
      fibers.active--
    }
  }
  return { fibers, run: Effect.provideService(Metric.FiberRuntimeMetrics, service) }
}

const inHand = ({ abandoned, calls, heldAsyncValues, hostCalls }: ReturnType<typeof Plugin.stats>[number]) => ({
  abandoned,
  calls,
  heldAsyncValues,
  hostCalls
})

const nothing = { abandoned: 0, calls: 0, heldAsyncValues: 0, hostCalls: 0 }
