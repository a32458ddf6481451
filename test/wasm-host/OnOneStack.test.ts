/** What happens while a guest of the application's thread is on the stack, or on its way there. */
import { assert, describe, it } from "@effect/vitest"
import { GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Deferred, Effect, Equal, Exit, Fiber, HashSet, Scope } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../fixtures/conformance.ts"
import { eventually } from "../fixtures/eventually.ts"

describe("a guest of the application's thread", () => {
  it.effect("gets the bytes that a host function answered, whatever becomes of them before its turn", () =>
    Effect.gen(function* () {
      const given = yield* Deferred.make<(answer: Effect.Effect<Uint8Array>) => void>()
      const bytes = new Uint8Array([1, 2, 3])
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(
        Effect.provide(
          conformanceHost({
            host_bytes: () =>
              Effect.callback<Uint8Array>((resume) => void Deferred.doneUnsafe(given, Effect.succeed(resume))),
            host_sync_string: ({ text }) =>
              Effect.map(Deferred.await(given), (give) => {
                give(Effect.succeed(bytes))
                bytes.fill(9)
                return text
              })
          })
        )
      )
      const call = yield* Effect.forkChild(guest.via_host_bytes({ value: new Uint8Array(1) }), {
        startImmediately: true
      })
      yield* guest.via_host_sync_string({ text: "on the stack" })
      assert.deepStrictEqual(Array.from(yield* Fiber.join(call)), [1, 2, 3])
    }).pipe(Effect.provide(GuestExecutor.layer()))
  )

  it.effect("gets the Err of a host function that interrupts its own caller while it begins", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const release = yield* Deferred.make<number>()
      let stop: () => void = () => {}
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(
        Effect.provide(
          conformanceHost({
            log: ({ message }) => Effect.sync(() => void lines.push(message)),
            host_try: ({ id }) => {
              if (id === 1) return Deferred.await(release)
              return Effect.suspend(() => {
                stop()
                return Effect.never
              })
            }
          })
        )
      )
      const first = yield* Effect.forkChild(guest.via_host_try({ id: 1 }), { startImmediately: true })
      const second = yield* Effect.forkChild(guest.cleanup({ id: 2 }), { startImmediately: true })
      stop = () => second.interruptUnsafe()
      yield* Deferred.succeed(release, 1)
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(second)))
      yield* eventually(() => assert.deepStrictEqual(lines, ["cleaned up 2"]))
    }).pipe(Effect.provide(GuestExecutor.layer({ concurrency: 1 })))
  )

  it.effect("is not looked at by whoever compares its calls: each is equal to itself alone", () =>
    Effect.gen(function* () {
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(Effect.provide(conformanceHost({})))
      const callWith = (value: number) => guest.echo_u32({ value })
      const call = callWith(1)
      assert.strictEqual(yield* call, 1)
      assert.isTrue(Equal.equals(call, call))
      assert.isFalse(Equal.equals(call, callWith(1)))
      assert.strictEqual(HashSet.size(HashSet.make(call, call, callWith(1), callWith(2))), 3)
      // Nothing was entered for that, and the guest's only place is free.
      assert.strictEqual(yield* callWith(2), 2)
      assert.strictEqual(Plugin.stats(guest)[0]!.used.entries, 2)
    }).pipe(Effect.provide(GuestExecutor.layer({ concurrency: 1 })))
  )

  it.effect("is not entered when a getter of the payload closes it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      let asked = 0
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(
        Effect.provide(
          conformanceHost({
            host_sync_string: ({ text }) => {
              asked++
              return Effect.succeed(text)
            }
          })
        ),
        Effect.provideService(Scope.Scope, scope)
      )
      const payload = {
        get text() {
          Effect.runSync(Scope.close(scope, Exit.void))
          return "late"
        }
      }
      const error = yield* Effect.flip(guest.via_host_sync_string(payload))
      assert.strictEqual(error.reason._tag, "Closed")
      assert.strictEqual(asked, 0)
    }).pipe(Effect.provide(GuestExecutor.layer()))
  )

  it.effect("is free again when its caller's stack ends", () =>
    Effect.gen(function* () {
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(Effect.provide(conformanceHost({})))
      const deep = (): number => guest.echo_u32Unsafe({ value: 1 }) + deep()
      assert.throws(deep, RangeError)
      assert.strictEqual(guest.echo_u32Unsafe({ value: 2 }), 2)
      assert.strictEqual(Plugin.stats(guest)[0]!.calls, 0)
    }).pipe(Effect.provide(GuestExecutor.layer()))
  )

  it.effect("reads each argument once", () =>
    Effect.gen(function* () {
      const guest = yield* Conformance.make({ module: conformanceModule }).pipe(Effect.provide(conformanceHost({})))
      let reads = 0
      const payload = {
        get value() {
          return reads++ === 0 ? -1 : 5
        }
      }
      assert.throws(() => guest.echo_u32Unsafe(payload), /does not fit/)
      assert.strictEqual(reads, 1)
    }).pipe(Effect.provide(GuestExecutor.layer()))
  )
})
