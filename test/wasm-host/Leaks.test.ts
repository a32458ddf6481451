import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer, Metric } from "effect"
import { countAllocations, total } from "../fixtures/allocations.ts"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"

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

/**
 * Makes `count` calls of one guest, `width` of them at any moment, each waiting for one host call. Everything that the
 * calls took is given back, and meanwhile nothing grows.
 */
const steadyStream = Effect.fn(function* (count: number, width: number) {
  const { free, malloc } = yield* countAllocations
  const seen = { leastInFlight: Number.POSITIVE_INFINITY, mostMemory: 0 }
  const self: { stats: () => ReturnType<typeof Plugin.stats>[number] | undefined } = { stats: () => undefined }
  let measuring = false
  const host = conformanceHost({
    host_echo: ({ text }) =>
      Effect.suspend(() => {
        const { calls, memory } = self.stats()!
        if (measuring) seen.leastInFlight = Math.min(seen.leastInFlight, calls)
        seen.mostMemory = Math.max(seen.mostMemory, memory)
        return Effect.as(Effect.yieldNow, text)
      })
  })
  const context = yield* Layer.build(Layer.merge(GuestExecutor.layer(), host))
  const executor = yield* Effect.provide(GuestExecutor.GuestExecutor, context)
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
  malloc.clear()
  free.clear()
  const { fibers, run } = countFibers()
  const before = { memory: self.stats()!.memory, timers: timers(), heap: yield* heap }
  yield* run(Effect.flatMap(Effect.forkChild(stream(count)), Fiber.join))

  assert.strictEqual(self.stats()!.memory, before.memory, "guest memory ends where it began")
  assert.strictEqual(seen.mostMemory, before.memory, "and stays level meanwhile")
  assert.isAtLeast(seen.leastInFlight, 64)
  assert.strictEqual(malloc.get(12), count, "one AsyncValue for each import")
  assert.strictEqual(free.get(12), 2 * count, "the AsyncValues of each import and each export")
  assert.strictEqual(total(malloc), 3 * count)
  assert.strictEqual(total(free), 4 * count)
  assert.strictEqual(fibers.active, 0)
  // What one more map entry for each call would cost, at the very least. The engine's own caches are far smaller.
  assert.isBelow((yield* heap) - before.heap, 16 * count, "nothing of a call stays in the host's heap")
  const { abandoned, calls, heldAsyncValues, hostCalls } = self.stats()!
  assert.deepStrictEqual({ abandoned, calls, heldAsyncValues, hostCalls }, zero)
  assert.deepStrictEqual(executor.stats(), { active: 0, nested: 0, waiting: 0, suspended: 0 })
  // The test runner's own may have ended meanwhile.
  assert.isAtMost(timers(), before.timers)
})

/** Bytes of JavaScript's heap that are in use, after a full collection. */
const heap = Effect.sync(() => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  collect()
  return process.memoryUsage().heapUsed
})

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length

const zero = { abandoned: 0, calls: 0, heldAsyncValues: 0, hostCalls: 0 }

describe("a guest in the application's thread gives back what its calls took", () => {
  it.live("100,000 calls with host calls", () => steadyStream(100_000, 100), 120_000)
  it.live("a million, never fewer than 64 in flight", () => steadyStream(1_000_000, 66), 300_000)
})
