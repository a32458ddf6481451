import { assert, describe, it } from "@effect/vitest"
import { GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Arbitrary, Effect, Layer } from "effect"
import { Allocations, total } from "../fixtures/allocations.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { hold, timeout } from "../fixtures/fuzz.ts"
import { type Command, GuestModel, type Room, Story } from "../fixtures/guestModel.ts"
import { observedGuest, outcomeOf } from "../fixtures/observedGuest.ts"
import type { Topology } from "../fixtures/topologies.ts"

const unbounded: Room = { concurrency: Number.POSITIVE_INFINITY, capacity: 100, whenFull: "suspend" }
const narrow: Room = { concurrency: 2, capacity: 2, whenFull: "suspend" }
const refusing: Room = { concurrency: 2, capacity: 1, whenFull: "fail" }

/** Random callers of one guest: whatever they do, each call settles as a model of it says. `runs`: stories in each room. */
export const guestModelSuite = ({ conformance, counted, executor, name, synchronousTwins }: Topology, runs: number) =>
  describe(`a guest ${name} does what its model does`, () => {
    const options = { runs, size: 30, maxShrinks: 200, show: inLines }
    // On a thread a caller may leave before its host function has begun, and the guest has taken something for it.
    it.live.skipIf(synchronousTwins !== "answer")(
      "and what was taken is given back",
      () =>
        Effect.gen(function* () {
          const context = yield* Layer.build(Layer.merge(counted, conformance))
          yield* hold(Arbitrary.schema(Story), (story) => Effect.provide(balances(story), context), {
            ...options,
            // Each collects garbage.
            runs: Math.ceil(runs / 4)
          })
        }),
      timeout
    )
    it.live.each([
      ["need not wait", unbounded],
      ["wait for room", narrow],
      ["are refused when there is none", refusing]
    ] as const)(
      "callers who %s",
      ([, room]) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(Layer.merge(executor(room), conformance))
          const story = (story: Story) => Effect.provide(Effect.scoped(tell(room, story)), context)
          yield* hold(Arbitrary.schema(Story), story, options)
        }),
      timeout
    )
  })

/** After the first failure nothing is waited for that long: what shrinks a story may wait in vain many times. */
let patience: number | undefined
const settles = (assertion: () => void) =>
  Effect.tapCause(eventually(assertion, patience), () =>
    Effect.sync(() => {
      patience = 500
    })
  )

/** Lets the guest and its model do the same. When it is over nothing is in hand. */
const tell = Effect.fn(function* (room: Room, { commands, end, late }: Story) {
  const observed = yield* observedGuest
  const model = new GuestModel(room)
  const compare = () => {
    for (const [index, call] of observed.calls.entries()) {
      const { outcomes, state } = model.calls[index]!
      if (state === "settled")
        assert.isTrue(
          outcomes.some((outcome) => outcome === outcomeOf(call)),
          `call ${index}: ${outcomes}`
        )
      else
        assert.deepStrictEqual(
          call.begun,
          Array.from({ length: model.begun(index) }, (_, host) => host)
        )
    }
    assert.deepStrictEqual(inHand(observed.guest), {
      calls: model.calls.filter(({ state }) => state !== "settled").length,
      hostCalls: observed.seen.running
    })
  }
  /** What settles does so in time, and what should wait does when there was time to do otherwise. */
  const rest = Effect.gen(function* () {
    yield* settles(compare)
    for (const [index, call] of observed.calls.entries()) {
      if (model.calls[index]!.state !== "settled") assert.isUndefined(outcomeOf(call), `call ${index}`)
    }
    model.rest()
  })
  const follow = Effect.fnUntraced(function* (command: Command) {
    const last = observed.calls.length - 1
    const index = "call" in command ? last - command.call : last
    if (index < 0 && "call" in command) return
    switch (command._tag) {
      case "Start": {
        // Whether there is room must not depend on a race.
        if (room.whenFull === "fail") yield* rest
        const { kind } = command
        const count = kind === "join" || kind === "sequence" ? command.count : 1
        model.start(kind, count)
        return yield* observed.start(kind, count)
      }
      case "Answer":
        model.answer(index, command.host - 1)
        observed.answer(index, command.host - 1)
        return
      case "AnswerAll":
        for (let host = 0; host < model.calls[index]!.count; host++) {
          model.answer(index, host)
          observed.answer(index, host)
        }
        return
      case "Interrupt":
        model.interrupt(index)
        observed.calls[index]!.fiber!.interruptUnsafe()
        return
      case "Yield":
        return yield* Effect.repeat(command.turns < 4 ? Effect.yieldNow : turn, { times: command.turns })
      case "Settle":
        return yield* rest
    }
  })

  yield* Effect.forEach(commands, follow, { discard: true })
  if (end === "close") {
    model.close()
    yield* observed.close
    for (const kind of late) yield* follow({ _tag: "Start", kind, count: 1 })
  }
  for (let call = 0; call < observed.calls.length; call++) {
    yield* follow(end === "interrupt" ? { _tag: "Interrupt", call } : { _tag: "AnswerAll", call })
  }
  yield* rest
  yield* settles(() => {
    assert.deepStrictEqual(inHand(observed.guest), { calls: 0, hostCalls: 0 })
    assert.strictEqual(observed.seen.running, 0)
  })
  const executor = yield* GuestExecutor.GuestExecutor
  yield* settles(() => assert.deepStrictEqual(executor.stats(), { active: 0, nested: 0, waiting: 0, suspended: 0 }))
  if (end !== "close") yield* settles(() => assertCleaned(observed))
  return observed
})

type Observed = Effect.Success<typeof observedGuest>

/** Who was interrupted and has an Err for it has cleaned up; who has none has left its futures behind. */
const assertCleaned = ({ guest, seen }: Observed) => {
  const { abandoned, heldAsyncValues } = Plugin.stats(guest)[0]!
  assert.strictEqual(abandoned, seen.abandoned)
  if (abandoned === 0) assert.strictEqual(heldAsyncValues, 0)
  assert.sameMembers(
    seen.lines,
    seen.interruptedCleanups.map((id) => `cleaned up ${id}`)
  )
}

/** Where every call came to its end in the guest, its allocator has back what it gave. */
const balances = Effect.fn(function* (story: Story) {
  const allocations = yield* Allocations
  yield* allocations.take
  const { calls, seen } = yield* Effect.scoped(tell(unbounded, story))
  const { free, malloc } = yield* allocations.take
  if (story.end === "close" || seen.abandoned > 0) return
  const asyncValues = 12
  assert.strictEqual(malloc.get(asyncValues) ?? 0, seen.hostCalls, "one AsyncValue for each import")
  assert.strictEqual(total(malloc), 2 * seen.hostCalls, "and an answer, which the guest frees")
  const freed = free.get(asyncValues) ?? 0
  const answers = total(free) - freed - seen.lines.length
  assert.strictEqual(freed, seen.hostCalls + answers, "the AsyncValues of each import and each export")
  assert.isAtLeast(answers, calls.filter(({ begun }) => begun.length > 0).length, "the answer of each export")
  assert.isAtMost(answers, calls.length)
})

const inHand = (guest: Observed["guest"]) => {
  const { calls, hostCalls } = Plugin.stats(guest)[0]!
  return { calls, hostCalls }
}

const inLines = ({ commands, end, late }: Story) =>
  [...commands, { end, late }].map((line) => JSON.stringify(line)).join("\n")
