import { assert, describe, layer } from "@effect/vitest"
import type { GuestError } from "@fiberhost/wasm-host"
import { Plugin } from "@fiberhost/wasm-host"
import { Effect, Exit, Fiber, Layer } from "effect"
import { eventually } from "../fixtures/eventually.ts"
import { Hostile } from "../fixtures/hostile/contract.ts"
import { corpus } from "../fixtures/hostile/corpus.ts"
import { type Call, calls, type Entry, type Expectation, type Then } from "../fixtures/hostile/entry.ts"
import { hostile } from "../fixtures/hostile/guest.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { compile } from "../fixtures/wat.ts"

type Guest = Hostile["Service"]

/** Whatever a guest does, every call settles with its reason, and nobody else's call hears of it. */
export const hostileSuite = ({ executor, hostile: imports, name }: Topology) =>
  layer(Layer.merge(executor(), imports))(`hostile guests ${name}`, (it) => {
    describe.each(corpus)("that abuse %s", (_, entries) => {
      it.effect.each(entries.map((entry) => [title(entry), entry] as const))("%s", ([, entry]) =>
        Effect.scoped(
          Effect.gen(function* () {
            const healthy = yield* Hostile.make({ module: compile(hostile()), require: "all" })
            const waiting = yield* fork(healthy.never())
            const asking = yield* fork(healthy.relay({ text: "before" }))

            yield* meet(entry)

            assert.strictEqual(yield* Fiber.join(asking), "before")
            const texts = ["one", "two", "three"]
            const answers = yield* Effect.all(
              texts.map((text) => healthy.relay({ text })),
              { concurrency: "unbounded" }
            )
            assert.deepStrictEqual(answers, texts)
            assert.strictEqual(yield* healthy.relay_sync({ text: "four" }), "four")
            assert.isUndefined(waiting.pollUnsafe())
            yield* Fiber.interrupt(waiting)
            yield* settledIn(healthy)
            assert.isUndefined(Reflect.get({}, "polluted"))
          })
        )
      )
    })
  })

const fork = <A, E>(call: Effect.Effect<A, E>) => Effect.forkChild(call, { startImmediately: true })

/** Nobody waits in the guest any more. */
const settledIn = (guest: Guest) => eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.calls, 0))

/** Loads the guest, makes its call beside another, and ends when the instance has. */
const meet = (entry: Entry) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { besideAnswers, expect } = entry
      const load = Hostile.make({ module: compile(entry.wat), require: "all" })
      if (expect._tag === "NotLoaded") {
        const error = yield* Effect.flip(load)
        assert.strictEqual(error.reason._tag, expect.reason, error.message)
        return
      }
      const guest = yield* load
      const beside = yield* fork(answerOf(guest, entry.beside))
      yield* check(guest, entry, expect)
      if (besideAnswers !== undefined) {
        assert.strictEqual(yield* Fiber.join(beside), besideAnswers)
      } else if (thenOf(expect) === "lives") {
        assert.isUndefined(beside.pollUnsafe())
        yield* Fiber.interrupt(beside)
      } else {
        for (const call of [Fiber.join(beside), guest.number({ n: 1 }), guest.answer()]) {
          const error = yield* Effect.flip(call)
          assert.strictEqual(error.reason._tag, "Poisoned", error.message)
        }
      }
      yield* settledIn(guest)
      yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.alive, thenOf(expect) === "lives"))
    })
  )

const check = Effect.fnUntraced(function* (guest: Guest, { call }: Entry, expect: Expectation) {
  switch (expect._tag) {
    case "Fails": {
      const error = yield* Effect.flip(calls[call](guest))
      assert.strictEqual(error.reason._tag, expect.reason, error.message)
      break
    }
    case "Answers":
      assert.deepStrictEqual(yield* answerOf(guest, call), expect.answer)
      break
    case "Waits": {
      const waiting = yield* fork(calls[call](guest))
      yield* answersOthers(guest)
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(waiting)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(waiting)))
    }
  }
  if (thenOf(expect) === "lives" && call !== "number") yield* answersOthers(guest)
})

const answerOf = (guest: Guest, call: Call): Effect.Effect<unknown, GuestError.GuestError> => calls[call](guest)

const answersOthers = (guest: Guest) => Effect.map(guest.number({ n: 1 }), (answer) => assert.isAtLeast(answer, 1))

const thenOf = (expect: Expectation): Then => ("then" in expect ? expect.then : "lives")

const title = ({ call, expect, name }: Entry): string => {
  switch (expect._tag) {
    case "NotLoaded":
      return `${name}: not loaded, ${expect.reason}`
    case "Fails":
      return `${name}: ${call} fails with ${expect.reason}, the instance ${expect.then === "lives" ? "lives" : "is dead"}`
    case "Answers":
      return `${name}: ${call} answers, the instance ${expect.then === "lives" ? "lives" : "is dead"}`
    case "Waits":
      return `${name}: ${call} waits until its caller leaves`
  }
}
