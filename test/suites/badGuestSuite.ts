import { assert, describe, layer } from "@effect/vitest"
import type { GuestError } from "@fiberhost/wasm-host"
import { Plugin } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer } from "effect"
import type { Topology } from "../fixtures/topologies.ts"
import { compile, data, type Parts, plugin, ptr, resolveWith, Wat } from "../fixtures/wat.ts"

type Reason = GuestError.Reason["_tag"]
type Guest = Wat["Service"]

/** A way in which a guest breaks the rules, the call that meets it, and what that caller sees. */
interface Row {
  readonly guest: string
  readonly parts: Parts
  readonly call: (guest: Guest) => Effect.Effect<unknown, GuestError.GuestError>
  readonly reason: Reason | "answers"
  /** Whether the instance may be used again. If not, its other calls fail with `Poisoned`. */
  readonly then: "lives" | "dead"
}

const calls = {
  answer: (guest: Guest) => guest.answer(),
  nothing: (guest: Guest) => guest.nothing(),
  text: (guest: Guest) => guest.text(),
  take: (guest: Guest) => guest.take({ text: "one", more: "ab" }),
  relay: (guest: Guest) => guest.relay(),
  relay_sync: (guest: Guest) => guest.relay_sync(),
  number: (guest: Guest) => guest.number({ n: 7 })
}

const rows: ReadonlyArray<Row> = [
  row(
    "answers bytes that are no MessagePack",
    { answer: resolveWith(data.invalid) },
    "answer",
    "AnswerRefused",
    "lives"
  ),
  row("answers a number for a string", { answer: resolveWith(data.number) }, "answer", "AnswerRefused", "lives"),
  row("answers a value and a byte more", { answer: resolveWith(data.trailing) }, "answer", "AnswerRefused", "lives"),
  row("answers the null pointer for a string", { answer: resolveWith("0") }, "answer", "AnswerRefused", "lives"),
  row("answers the null pointer for nothing", { nothing: resolveWith("0") }, "nothing", "answers", "lives"),
  row(
    "answers from a sync function what is no MessagePack",
    { text: `(i64.const ${data.invalid})` },
    "text",
    "AnswerRefused",
    "lives"
  ),

  row(
    "answers an offset outside its memory",
    { answer: resolveWith(ptr(0x7fff_ffff, 3)) },
    "answer",
    "ProtocolViolation",
    "dead"
  ),
  row(
    "answers a negative pointer",
    { answer: resolveWith(ptr(0xffff_fff0, 3)) },
    "answer",
    "ProtocolViolation",
    "dead"
  ),
  row(
    "answers a length of 4 GiB",
    { answer: resolveWith(ptr(16, 0xffff_ffff)) },
    "answer",
    "ProtocolViolation",
    "dead"
  ),
  row(
    "answers what ends one byte after its memory",
    { answer: resolveWith(ptr(65_534, 3)) },
    "answer",
    "ProtocolViolation",
    "dead"
  ),
  row(
    "answers a wild pointer from a sync function",
    { text: `(i64.const ${ptr(0x7fff_ffff, 3)})` },
    "text",
    "ProtocolViolation",
    "dead"
  ),

  row(
    "answers an AsyncValue that is no call's",
    {
      answer: `(call $resolve (i64.const ${ptr(512, 12)}) (i64.const ${data.ok})) (call $bump (i32.const 12))`
    },
    "answer",
    "ProtocolViolation",
    "dead"
  ),
  row(
    "answers twice before it returns",
    {
      answer: `${resolveWith(data.ok)} (call $resolve (local.get $value) (i64.const ${data.ok}))`
    },
    "answer",
    "ProtocolViolation",
    "dead"
  ),
  row(
    "answers in a sync call an AsyncValue that is no call's",
    {
      number: `(call $resolve (i64.const ${ptr(512, 12)}) (i64.const ${data.ok})) (local.get $n)`
    },
    "number",
    "ProtocolViolation",
    "dead"
  ),

  row("has no memory for an argument", { malloc: "(i64.const 0)" }, "take", "OutOfMemory", "lives"),
  row(
    "has no memory for the second argument",
    {
      malloc:
        "(if (result i64) (i32.eq (local.get $len) (i32.const 3)) (then (i64.const 0)) (else (call $bump (local.get $len))))"
    },
    "take",
    "OutOfMemory",
    "lives"
  ),
  row(
    "has no memory for a host function's answer",
    {
      malloc:
        "(if (result i64) (i32.eq (local.get $len) (i32.const 6)) (then (i64.const 0)) (else (call $bump (local.get $len))))"
    },
    "relay",
    "OutOfMemory",
    "lives"
  ),
  row("has no memory for an AsyncValue", { malloc: "(i64.const 0)" }, "relay", "OutOfMemory", "dead"),
  row(
    "has no memory for a sync host function's answer",
    { malloc: "(i64.const 0)" },
    "relay_sync",
    "OutOfMemory",
    "dead"
  ),
  row(
    "allocates outside its memory",
    { malloc: `(i64.const ${ptr(0x7fff_0000, 4)})` },
    "take",
    "ProtocolViolation",
    "dead"
  ),
  row("traps while it allocates", { malloc: "(unreachable)" }, "take", "Trapped", "dead"),
  row("traps while it frees", { free: "(unreachable)" }, "text", "Trapped", "dead"),
  row(
    "grows its memory while it allocates",
    {
      malloc: "(drop (memory.grow (i32.const 1))) (call $bump (local.get $len))"
    },
    "relay",
    "answers",
    "lives"
  ),

  row(
    "hands a host function what is no MessagePack",
    { argument: data.invalid },
    "relay",
    "HostFunctionFailed",
    "lives"
  ),
  row(
    "hands a sync host function what is no MessagePack",
    { argument: data.invalid },
    "relay_sync",
    "HostFunctionFailed",
    "dead"
  ),
  row("hands a host function a wild pointer", { argument: ptr(0x7fff_ffff, 3) }, "relay", "ProtocolViolation", "dead"),
  row(
    "hands a sync host function a wild pointer",
    { argument: ptr(0x7fff_ffff, 3) },
    "relay_sync",
    "ProtocolViolation",
    "dead"
  ),

  row("traps", { answer: "(unreachable)" }, "answer", "Trapped", "dead"),
  row("divides by zero", { number: "(i32.div_u (local.get $n) (i32.const 0))" }, "number", "Trapped", "dead"),
  row(
    "recurses until the stack ends",
    {
      number: "(call $deep (local.get $n))",
      more: "(func $deep (param $n i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get $n))))"
    },
    "number",
    "Trapped",
    "dead"
  ),
  row(
    "takes an AsyncValue and never answers it",
    { answer: "(call $bump (i32.const 12))" },
    "number",
    "answers",
    "lives"
  )
]

function row(guest: string, parts: Parts, call: keyof typeof calls, reason: Row["reason"], then: Row["then"]): Row {
  return { guest, parts, call: calls[call], reason, then }
}

/** Guests that break the rules: only the calls that the fault concerns fail, and each caller hears why. */
export const badGuestSuite = ({ executor, name, wat }: Topology) =>
  layer(Layer.merge(executor(), wat))(`guests ${name}`, (it) => {
    const guestOf = (parts: Parts) => Wat.make({ module: compile(plugin(parts)), require: "all" })

    describe.each(rows)("a guest that $guest", ({ call, parts, reason, then }) => {
      it.effect(`: ${reason}, and the instance ${then === "lives" ? "lives" : "is dead"}`, () =>
        Effect.gen(function* () {
          const guest = yield* guestOf(parts)
          const neighbour = yield* Effect.forkChild(guest.never(), { startImmediately: true })
          if (reason === "answers") {
            yield* call(guest)
          } else {
            const error = yield* Effect.flip(call(guest))
            assert.strictEqual(error.reason._tag, reason, error.message)
          }
          if (then === "lives") {
            assert.strictEqual(yield* guest.number({ n: 7 }), 7)
            assert.isUndefined(neighbour.pollUnsafe())
            yield* Fiber.interrupt(neighbour)
          } else {
            for (const after of [Fiber.join(neighbour), guest.number({ n: 7 }), guest.answer()]) {
              const error = yield* Effect.flip(after)
              assert.strictEqual(error.reason._tag, "Poisoned")
              assert.include(error.message, "killed it")
            }
            assert.isFalse(Plugin.stats(guest)[0]!.alive)
          }
          assert.strictEqual(Plugin.stats(guest)[0]!.calls, 0)
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
