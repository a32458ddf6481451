import { assert, describe, it } from "@effect/vitest"
import { HostPool } from "@fiberhost/core"
import { Abi, GuestExecutor, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Context, Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { compile, plugin } from "../fixtures/wat.ts"
import { handlers, Work } from "../fixtures/work.ts"
import { counted, hostPoolSuite } from "../suites/hostPoolSuite.ts"

hostPoolSuite("a host pool in the calling thread", Work.layer(handlers))
hostPoolSuite("a bounded host pool in the calling thread", Work.layer(handlers, { concurrency: 4, capacity: 10 }))

class Jobs extends HostPool.Service<Jobs>()("test/Jobs", [
  Rpc.make("job", { payload: { id: Schema.Int }, success: Schema.Int })
]) {}
class Store extends Context.Service<Store, { readonly base: number }>()("test/Store") {}

describe("a host pool in the calling thread", () => {
  it.effect("runs as many as its concurrency says, in order, and suspends callers past its capacity", () =>
    Effect.gen(function* () {
      const gates = Array.from({ length: 6 }, () => Deferred.makeUnsafe<void>())
      const started: Array<number> = []
      const layer = Jobs.layer(
        {
          job: ({ id }) =>
            Effect.suspend(() => {
              started.push(id)
              return Effect.as(Deferred.await(gates[id]!), id)
            })
        },
        { concurrency: 2, capacity: 1 }
      )
      const jobs = yield* Effect.provide(Jobs, yield* Layer.build(layer))
      const calls = yield* Effect.forEach(gates, (_, id) =>
        Effect.forkChild(jobs.job({ id }), { startImmediately: true })
      )
      assert.deepStrictEqual(started, [0, 1])
      yield* Effect.forEach(gates, (gate) => Deferred.succeed(gate, undefined))
      assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => Fiber.join(call)), [0, 1, 2, 3, 4, 5])
      assert.deepStrictEqual(started, [0, 1, 2, 3, 4, 5])
    })
  )

  it.effect("interrupting a caller interrupts its function, and closing the pool all of them", () =>
    Effect.gen(function* () {
      const interrupted: Array<number> = []
      const calls = yield* Effect.scoped(
        Effect.gen(function* () {
          const layer = Jobs.layer({
            job: ({ id }) => Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted.push(id)))
          })
          const jobs = yield* Effect.provide(Jobs, yield* Layer.build(layer))
          const calls = yield* Effect.forEach([0, 1, 2], (id) =>
            Effect.forkDetach(Effect.flip(jobs.job({ id })), { startImmediately: true })
          )
          yield* Fiber.interrupt(calls[0]!)
          assert.deepStrictEqual(interrupted, [0])
          return calls
        })
      )
      assert.deepStrictEqual(interrupted, [0, 1, 2])
      for (const call of calls.slice(1)) assert.strictEqual((yield* Fiber.join(call)).reason._tag, "Closed")
    })
  )

  it.effect("its handlers have the services of its layer, and a scope for each call", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const layer = Jobs.layer(
        Effect.map(Store, ({ base }) => ({
          job: ({ id }: { readonly id: number }) =>
            Effect.acquireRelease(
              Effect.sync(() => {
                events.push(`open ${id}`)
                return base + id
              }),
              () => Effect.sync(() => events.push(`close ${id}`))
            )
        }))
      ).pipe(Layer.provide(Layer.succeed(Store, { base: 100 })))
      const jobs = yield* Effect.provide(Jobs, yield* Layer.build(layer))
      assert.strictEqual(yield* jobs.job({ id: 1 }), 101)
      assert.strictEqual(yield* jobs.job({ id: 2 }), 102)
      assert.deepStrictEqual(events, ["open 1", "close 1", "open 2", "close 2"])
    })
  )

  it.effect("as a plugin's host function it gets the guest's bytes: they are decoded once, where it runs", () =>
    Effect.gen(function* () {
      const { count, schema } = counted()
      const ask = Rpc.make("ask", { payload: { text: schema }, success: Schema.String })
      class Pool extends HostPool.Service<Pool>()("test/Pool", [ask]) {}
      class Imports extends HostFunctions.Service<Imports>()("test/Imports", [
        ask,
        Abi.sync("ask_sync", { payload: { text: Schema.String }, success: Schema.String })
      ]) {}
      class Guest extends Plugin.Service<Guest>()("test/Guest", {
        imports: Imports,
        exports: [Rpc.make("relay", { success: Schema.String })]
      }) {}
      const layer = Imports.toLayer(Effect.map(Pool, ({ ask }) => ({ ask, ask_sync: () => Effect.succeed("") }))).pipe(
        Layer.provide(Pool.layer({ ask: ({ text }) => Effect.as(Effect.yieldNow, `${text}!`) }))
      )
      const context = yield* Layer.build(Layer.merge(layer, GuestExecutor.layer()))
      const guest = yield* Effect.provide(Guest.make({ module: yield* compile(plugin()) }), context)
      assert.strictEqual(yield* guest.relay(), "hello!")
      assert.strictEqual(count.decoded, 1)
    })
  )
})
