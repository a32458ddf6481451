import { assert, layer } from "@effect/vitest"
import { Abi, type GuestExecutor, HostFunctions, Plugin, PluginModule } from "@fiberhost/wasm-host"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { Conformance, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { eventually } from "../fixtures/eventually.ts"
import { reasonOf } from "../fixtures/reasonOf.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { compile, data, plugin, Wat } from "../fixtures/wat.ts"

const mib = 1024 * 1024

/** The imports of every guest in WebAssembly text, of which the async one has an Err for when it gives no answer. */
class AskingImports extends HostFunctions.Service<AskingImports>()("asking/Imports", [
  Rpc.make("ask", { payload: { text: Schema.String }, success: Schema.String, error: Schema.String }).annotate(
    Abi.OnInterrupt,
    "no answer"
  ),
  Abi.sync("ask_sync", { payload: { text: Schema.String }, success: Schema.String })
]) {}

class Asking extends Plugin.Service<Asking>()("asking/Guest", {
  imports: AskingImports,
  exports: [Abi.sync("number", { payload: { n: Abi.U32 }, success: Abi.U32 })]
}) {}

/** What a guest may use at most. */
export const limitsSuite = ({ conformance, executor, name, wat }: Topology) =>
  layer(Layer.mergeAll(executor(), conformance, wat))(`limits of a guest ${name}`, (it) => {
    const guestOf = (limits: GuestExecutor.Limits, replaced: Parameters<typeof hostOf>[0] = {}) =>
      Conformance.make({ module: conformanceModule, limits }).pipe(Effect.provide(hostOf(replaced)))
    const memoryOf = (guest: Conformance["Service"]) => Plugin.stats(guest)[0]!.memory

    it.effect("memory: the guest's allocation fails, the process gives it no more, and neighbours do not notice", () =>
      Effect.gen(function* () {
        const capped = yield* guestOf({ memory: 4 * mib })
        const neighbour = yield* guestOf({})
        assert.strictEqual(yield* capped.grow({ mib: 64 }), 0)
        assert.isAtMost(memoryOf(capped), 4 * mib)
        assert.isAbove(yield* neighbour.grow({ mib: 64 }), 64 * 16)
        yield* capped.exhaust()
        assert.isAtMost(memoryOf(capped), 4 * mib)
        assert.strictEqual((yield* reasonOf(capped.echo_string({ value: "x" })))._tag, "OutOfMemory")
        assert.strictEqual(yield* neighbour.echo_string({ value: "x" }), "x")
      })
    )

    it.effect("memory: a module that came compiled, or begins with more, is refused", () =>
      Effect.gen(function* () {
        const bytes = yield* compile(plugin())
        const compiled = PluginModule.fromCompiled(yield* Effect.promise(() => WebAssembly.compile(bytes)))
        const refused = (module: PluginModule.Source, memory: number) =>
          reasonOf(Wat.make({ module, limits: { memory } }))
        assert.strictEqual((yield* refused(compiled, 4 * mib))._tag, "MemoryLimitRefused")
        const large = yield* compile(plugin().replace('(memory (export "memory") 1)', '(memory (export "memory") 100)'))
        assert.strictEqual((yield* refused(large, 99 * 65536))._tag, "MemoryLimitRefused")
        const guest = yield* Wat.make({ module: large, limits: { memory: 100 * 65536 } })
        assert.strictEqual(yield* guest.number({ n: 1 }), 1)
      })
    )

    it.effect("host functions: one too many is not started, and its call hears of it", () =>
      Effect.gen(function* () {
        let started = 0
        const guest = yield* guestOf(
          { hostCalls: 5 },
          {
            host_delay: () =>
              Effect.suspend(() => {
                started++
                return Effect.never
              })
          }
        )
        const reason = yield* reasonOf(guest.join({ count: 8 }))
        assert.strictEqual(reason._tag, "HostFunctionFailed")
        assert.strictEqual(reason._tag === "HostFunctionFailed" && reason.error.reason._tag, "TooManyHostCalls")
        yield* eventually(() => assert.strictEqual(started, 5))
        assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 3)
        assert.strictEqual(yield* guest.echo_u32({ value: 3 }), 3)
      })
    )

    it.effect(
      "host functions: one too many whose contract names an Err for that is logged, wherever its guest lives",
      () =>
        Effect.gen(function* () {
          const lines: Array<string> = []
          const logger = Logger.make(({ message }) => lines.push(String(message)))
          let started = 0
          yield* Effect.gen(function* () {
            const guest = yield* guestOf(
              { hostCalls: 1 },
              {
                host_try: () =>
                  Effect.suspend(() => {
                    started++
                    return Effect.never
                  })
              }
            )
            const first = yield* Effect.forkChild(guest.via_host_try({ id: 1 }), { startImmediately: true })
            yield* eventually(() => assert.strictEqual(started, 1))
            const errors = yield* Effect.forEach([2, 3], (id) => Effect.flip(guest.via_host_try({ id })))
            assert.deepStrictEqual(
              errors.map(({ _tag }) => _tag),
              ["Interrupted", "Interrupted"]
            )
            yield* eventually(() => assert.strictEqual(lines.length, 2))
            for (const line of lines) assert.match(line, /"host_try" was not started: its guest has 1 host functions/)
            yield* Fiber.interrupt(first)
          }).pipe(Effect.provide(Logger.layer([logger])))
          assert.strictEqual(lines.length, 2)
        })
    )

    it.effect("host functions: a million of them in one entry are refused without being kept", () =>
      Effect.gen(function* () {
        const ask = `(drop (call $ask (i64.const ${data.hello})))`
        const million = `(local.set $n (i32.const 1000000))
          (loop $next ${ask} (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 7)`
        // It gives the same place again and again, and looks at no answer.
        const malloc = "(i64.or (i64.const 8796093022208) (i64.extend_i32_u (local.get $len)))"
        const module = yield* compile(plugin({ number: million, malloc, resolve: "" }))
        const guest = yield* Wat.make({ module, limits: { hostCalls: 1000 } })
        assert.strictEqual((yield* reasonOf(guest.number({ n: 1 })))._tag, "HostFunctionFailed")
        assert.strictEqual(Plugin.stats(guest)[0]!.used.hostCalls, 1_000_000)
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 0))
      })
    )

    it.effect("host functions: of those that are refused in one entry, behind an Err, one is logged", () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => lines.push(String(message)))
        const module = yield* compile(plugin({ number: askTimes(300), resolve: "" }))
        yield* Effect.gen(function* () {
          const guest = yield* Asking.make({ module, limits: { hostCalls: 1 } })
          for (const said of [1, 2]) {
            assert.strictEqual(yield* guest.number({ n: 1 }), 7)
            yield* eventually(() => assert.strictEqual(lines.length, said))
          }
          assert.strictEqual(Plugin.stats(guest)[0]!.used.hostCalls, 600)
        }).pipe(
          Effect.provide(AskingImports.toLayer({ ask: () => Effect.never, ask_sync: () => Effect.never })),
          Effect.provide(Logger.layer([logger]))
        )
        for (const line of lines) assert.match(line, /"ask" was not started/)
        assert.strictEqual(lines.length, 2)
      })
    )

    it.effect("host functions: of those that fail in one entry, behind an Err, each is logged", () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => lines.push(String(message)))
        const module = yield* compile(plugin({ number: askTimes(20), resolve: "" }))
        let asked = 0
        yield* Effect.gen(function* () {
          const guest = yield* Asking.make({ module })
          assert.strictEqual(yield* guest.number({ n: 1 }), 7)
          yield* eventually(() => assert.strictEqual(lines.length, 20))
        }).pipe(
          Effect.provide(
            AskingImports.toLayer({
              ask: () => Effect.suspend(() => Effect.die(new Error(`defect ${++asked}.`))),
              ask_sync: () => Effect.never
            })
          ),
          Effect.provide(Logger.layer([logger]))
        )
        for (const [i, line] of lines.entries()) assert.include(line, `defect ${i + 1}.`)
      })
    )

    it.effect("values: one that is too long is refused in either direction, and the guest goes on", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({ valueBytes: 1000 })
        const long = "x".repeat(1000)
        const fits = "x".repeat(900)
        const refused = yield* reasonOf(guest.echo_string({ value: long }))
        assert.deepInclude(refused, { _tag: "ValueTooLarge", path: "value", limit: 1000 })
        const answer = yield* reasonOf(guest.make_bytes({ len: 1000 }))
        assert.deepInclude(answer, { _tag: "ValueTooLarge", path: "", limit: 1000 })
        assert.strictEqual(yield* guest.via_host_echo({ text: fits }), fits)
        assert.strictEqual(yield* guest.echo_string({ value: fits }), fits)
      })
    )

    it.effect("values: a host function's argument and answer that are too long", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({ valueBytes: 1000 }, { host_echo: ({ text }) => Effect.succeed(text.repeat(20)) })
        const reason = yield* reasonOf(guest.via_host_echo({ text: "x".repeat(100) }))
        assert.strictEqual(reason._tag === "HostFunctionFailed" && reason.error.reason._tag, "AnswerRefused")
        assert.strictEqual(yield* guest.echo_u32({ value: 3 }), 3)
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("that are no counts are a defect", () =>
      Effect.gen(function* () {
        for (const limits of [{ memory: 1000 }, { hostCalls: 0 }, { valueBytes: 1.5 }]) {
          const exit = yield* Effect.exit(guestOf(limits))
          assert.instanceOf(Exit.isFailure(exit) && Cause.squash(exit.cause), RangeError)
        }
      })
    )

    it.effect("instances that are no count are a defect", () =>
      Effect.gen(function* () {
        for (const instances of [0, 1.5, Infinity]) {
          const layer = Layer.provide(Conformance.layer({ module: conformanceModule, instances }), hostOf())
          const exit = yield* Effect.exit(Layer.build(layer))
          assert.match(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), /^RangeError: instances is /)
        }
      })
    )

    it.effect("what a guest used is readable, and what it has in hand", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf({}, { host_delay: () => Effect.never })
        const call = yield* Effect.forkChild(guest.join({ count: 4 }), { startImmediately: true })
        yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 4))
        yield* guest.echo_u32({ value: 1 })
        const { calls, used } = Plugin.stats(guest)[0]!
        assert.deepStrictEqual([calls, used.hostCalls, used.entries], [1, 4, 2])
        yield* Fiber.interrupt(call)
      })
    )
  })

/** The body of `number` that calls `ask` so many times in one entry, waits for none and answers 7. */
const askTimes = (times: number): string => `(local.set $n (i32.const ${times}))
  (loop $next (drop (call $ask (i64.const ${data.hello}))) (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (i32.const 7)`
