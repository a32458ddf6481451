import { assert, describe, layer } from "@effect/vitest"
import { GuestError, Plugin } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer } from "effect"
import { allocators } from "../fixtures/hostile/allocators.ts"
import { appetites } from "../fixtures/hostile/appetites.ts"
import { asyncValues } from "../fixtures/hostile/asyncValues.ts"
import type { HostileGuest } from "../fixtures/hostile/HostileGuest.ts"
import { messages } from "../fixtures/hostile/messages.ts"
import { modules } from "../fixtures/hostile/modules.ts"
import { pointers } from "../fixtures/hostile/pointers.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { compile, data, type Parts, plugin, ptr, resolveWith, Wat } from "../fixtures/wat.ts"

const corpus: ReadonlyArray<HostileGuest> = [
  ...pointers,
  ...allocators,
  ...asyncValues,
  ...messages,
  ...appetites,
  ...modules
]

/**
 * A corpus of hostile guests: only the calls that the fault concerns fail, each caller hears why, and a good guest of the
 * same executor answers afterwards.
 */
export const hostileSuite = ({ executor, name, wat }: Topology) =>
  layer(Layer.merge(executor(), wat))(`hostile guests ${name}`, (it) => {
    const guestOf = (parts: Parts) => Wat.make({ module: compile(plugin(parts)), require: "all" })
    const reasonOf = <A, R>(effect: Effect.Effect<A, unknown, R>) =>
      Effect.map(Effect.flip(effect), (error) => {
        assert.instanceOf(error, GuestError.GuestError)
        return error.reason
      })

    describe.each(corpus)("a guest that $that", ({ answer, call, limits = {}, outcome, text, then }) => {
      const load = Wat.make({ module: compile(text), limits })
      const means = typeof outcome === "object" ? `is not loaded: ${outcome.load}` : `${outcome}, and it ${then}`

      it.effect(means, () =>
        Effect.gen(function* () {
          const healthy = yield* guestOf({})
          const asked = yield* Effect.forkChild(healthy.relay(), { startImmediately: true })
          if (typeof outcome === "object") {
            assert.strictEqual((yield* reasonOf(load))._tag, outcome.load)
          } else {
            const guest = yield* load
            const neighbour = yield* Effect.forkChild(guest.never(), { startImmediately: true })
            if (outcome === "answers") {
              const answered = yield* call(guest)
              if (answer !== undefined) assert.deepStrictEqual(answered, answer)
            } else {
              const error = yield* Effect.flip(call(guest))
              assert.strictEqual(error.reason._tag, outcome, error.message)
            }
            if (then === "lives") {
              assert.isNumber(yield* guest.number({ n: 7 }).pipe(Effect.orElseSucceed(() => 7)))
              assert.isUndefined(neighbour.pollUnsafe())
              yield* Fiber.interrupt(neighbour)
            } else {
              for (const after of [Fiber.join(neighbour), guest.number({ n: 7 }), guest.answer()]) {
                const error = yield* Effect.flip(after)
                assert.strictEqual(error.reason._tag, "Poisoned")
                assert.include(error.message, "killed it")
              }
            }
            assert.strictEqual(Plugin.stats(guest)[0]!.alive, then === "lives")
            assert.strictEqual(Plugin.stats(guest)[0]!.calls, 0)
          }
          assert.strictEqual(yield* Fiber.join(asked), "hello")
          assert.strictEqual(yield* healthy.number({ n: 41 }), 41)
          assert.strictEqual(yield* healthy.relay_sync(), "hello")
          assert.isFalse(Object.hasOwn(Object.prototype, "polluted"))
        })
      )
    })

    it.effect("a call whose AsyncValue is another's: both settle, the other hears whose fault it was", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({ answer: `(i64.const ${ptr(1024, 12)})` })
        const first = yield* Effect.forkChild(guest.answer(), { startImmediately: true })
        assert.strictEqual((yield* Effect.flip(guest.answer())).reason._tag, "ProtocolViolation")
        assert.strictEqual((yield* Effect.flip(Fiber.join(first))).reason._tag, "Poisoned")
      })
    )

    it.effect("a call that the guest has answered cannot be answered again by another call", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({
          more: "(global $old (mut i64) (i64.const 0))",
          answer: `${resolveWith(data.ok)} (global.set $old (local.get $value))`,
          number: `(call $resolve (global.get $old) (i64.const ${data.ok})) (local.get $n)`
        })
        assert.strictEqual(yield* guest.answer(), "ok")
        const error = yield* Effect.flip(guest.number({ n: 1 }))
        assert.strictEqual(error.reason._tag, "ProtocolViolation")
        const later = yield* Effect.flip(guest.answer())
        assert.match(later.message, /the call of number killed it/)
      })
    )

    it.effect("a call that the guest never answers ends with its caller, or with the guest", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({})
        const call = yield* Effect.forkChild(guest.never(), { startImmediately: true })
        yield* Fiber.interrupt(call)
        assert.strictEqual(yield* guest.number({ n: 1 }), 1)

        const calls = yield* Effect.scoped(
          Effect.gen(function* () {
            const guest = yield* guestOf({})
            const calls = yield* Effect.forEach([1, 2, 3], () =>
              Effect.forkDetach(guest.never(), { startImmediately: true })
            )
            return { calls, guest }
          })
        )
        for (const call of calls.calls) {
          assert.strictEqual((yield* Effect.flip(Fiber.join(call))).reason._tag, "Closed")
        }
        assert.strictEqual((yield* Effect.flip(calls.guest.number({ n: 1 }))).reason._tag, "Closed")
      })
    )
  })
