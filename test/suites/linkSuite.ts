import { assert, describe, layer } from "@effect/vitest"
import { GuestError, HostFunctions, Plugin, PluginModule } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer } from "effect"
import { Rpc } from "effect/rpc"
import { eventually } from "../fixtures/eventually.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { compile, data, plugin, Wat, WatImports, watHandlers } from "../fixtures/wat.ts"

class Waiting extends HostFunctions.Service<Waiting>()("link/Waiting", [...WatImports.functions, Rpc.make("wait")]) {}
class Waiter extends Plugin.Service<Waiter>()("link/Waiter", { imports: Waiting, exports: [] }) {}

/** What may be given as a plugin, and what is refused before anything runs. */
export const linkSuite = ({ executor, name, wat }: Topology) =>
  layer(Layer.merge(executor(), wat))(`plugins loaded ${name}`, (it) => {
    const load = (
      module: PluginModule.Source,
      options?: { readonly require?: "all" | ReadonlyArray<"answer" | "number"> }
    ) => Wat.make({ module, ...options })
    const refused = Effect.fn(function* (
      module: PluginModule.Source,
      options?: { readonly require?: "all" | ReadonlyArray<"answer" | "number"> }
    ) {
      const error = yield* Effect.flip(load(module, options))
      assert.instanceOf(error, GuestError.GuestError)
      assert.include(error.message, "wat/Guest")
      return error
    })
    /** What the module has otherwise than the contract says, by name. */
    const mismatch = Effect.fn(function* (text: string) {
      const { reason } = yield* refused(yield* compile(text))
      assert.strictEqual(reason._tag, "LinkMismatch")
      return reason._tag === "LinkMismatch" ? Object.fromEntries(reason.problems.map((p) => [p.name, p.detail])) : {}
    })
    const replaced = (what: string, by: string) => {
      const text = plugin()
      assert.include(text, what)
      return text.replace(what, by)
    }

    describe("not a module", () => {
      const valid = plugin()
      const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i * 197 + 13) & 0xff)
      it.effect.each([
        ["nothing", () => Effect.succeed(new Uint8Array(0))],
        ["text", () => Effect.succeed(new TextEncoder().encode("export default 1"))],
        ["an ELF header", () => Effect.succeed(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]))],
        ["noise", () => Effect.succeed(noise)],
        ["a module cut short", () => Effect.map(compile(valid), (bytes) => bytes.slice(0, bytes.length - 10))],
        ["a module with a byte changed", () => Effect.map(compile(valid), (bytes) => bytes.with(9, 0xff))]
      ] as const)("%s", ([, bytes]) =>
        Effect.gen(function* () {
          const { reason } = yield* refused(new Uint8Array(yield* bytes()))
          assert.strictEqual(reason._tag, "InvalidModule")
        })
      )
    })

    describe("a module that is not a plugin of the contract", () => {
      it.effect("one that exports nothing", () =>
        Effect.gen(function* () {
          const problems = yield* mismatch("(module)")
          assert.hasAllKeys(problems, ["memory", "__fp_malloc", "__fp_free"])
        })
      )
      it.effect("an import that the contract lacks", () =>
        Effect.gen(function* () {
          const problems = yield* mismatch(replaced('__fp_gen_ask"', '__fp_gen_asked"'))
          assert.match(problems["__fp_gen_asked"]!, /contract's host functions lack it/)
        })
      )
      it.effect("an import from elsewhere", () =>
        Effect.gen(function* () {
          const wasi = `(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))`
          const problems = yield* mismatch(plugin().replace("(module", wasi))
          assert.hasAllKeys(problems, ["wasi_snapshot_preview1.fd_write"])
        })
      )
      it.effect.each([
        ["memory", `(import "fp" "memory" (memory 1))`],
        ["table", `(import "fp" "table" (table 1 funcref))`],
        ["table", `(import "fp" "table" (table i64 1 funcref))`],
        ["global", `(import "fp" "global" (global i32))`]
      ] as const)("an import of a %s", ([kind, field]) =>
        Effect.gen(function* () {
          const text = plugin().replace("(module", `(module ${field}`)
          const problems = yield* mismatch(
            kind === "memory" ? text.replace(`(memory (export "memory") 1)`, `(export "memory" (memory 0))`) : text
          )
          assert.hasAllKeys(problems, [kind])
        })
      )
      it.effect.each([
        [
          "an import",
          `(func $ask_sync (param i64) (result i64))`,
          `(func $ask_sync (param i64) (result i32))`,
          "__fp_gen_ask_sync",
          true
        ],
        [
          "an export",
          `(func (export "__fp_gen_number") (param $n i32)`,
          `(func (export "__fp_gen_number") (param $n i64)`,
          "__fp_gen_number",
          false
        ],
        [
          "malloc",
          `(func (export "__fp_malloc") (param $len i32)`,
          `(func (export "__fp_malloc") (param $len i32) (param i32)`,
          "__fp_malloc",
          false
        ],
        ["free", `(param $ptr i64)`, `(param $ptr i32)`, "__fp_free", false],
        [
          "the guest's resolve",
          `(param $value i64) (param $answer i64)`,
          `(param $value i64) (param $answer i64) (param i32)`,
          "__fp_guest_resolve_async_value",
          false
        ]
      ] as const)("another signature of %s", ([, what, by, name, sync]) =>
        Effect.gen(function* () {
          let text = replaced(what, by)
          if (sync)
            text = text.replace(
              `(call $ask_sync (i64.const ${data.hello}))`,
              `(i64.extend_i32_u (call $ask_sync (i64.const ${data.hello})))`
            )
          if (name === "__fp_gen_number") text = text.replace("(local.get $n)", "(i32.wrap_i64 (local.get $n))")
          const problems = yield* mismatch(text)
          assert.hasAllKeys(problems, [name])
          assert.match(problems[name]!, /the contract says \(.*\) -> \(.*\), the module \(.*\) -> \(.*\)/)
        })
      )
      it.effect("a global where a function is due", () =>
        Effect.gen(function* () {
          const text = replaced(`(export "__fp_gen_number")`, "").replace(
            /\)$/,
            `(global (export "__fp_gen_number") i32 (i32.const 1)))`
          )
          assert.match((yield* mismatch(text))["__fp_gen_number"]!, /a global, not a function/)
        })
      )
      it.effect("no memory exported, and one of 64 bits", () =>
        Effect.gen(function* () {
          assert.hasAllKeys(yield* mismatch(replaced(`(memory (export "memory") 1)`, "(memory 1)")), ["memory"])
        })
      )
      it.effect("an import that it has a thousand times is named once, for another signature or another module", () =>
        Effect.gen(function* () {
          const imports = ['"fp" "__fp_gen_ask" (func (param f32))', '"env" "log" (func)', '"env" "print" (func)']
          const module = `(module ${imports.map((field) => `(import ${field})`.repeat(1000)).join("")})`
          const { reason } = yield* refused(yield* compile(module))
          assert.strictEqual(reason._tag, "LinkMismatch")
          const names = reason._tag === "LinkMismatch" ? reason.problems.map(({ name }) => name) : []
          assert.deepStrictEqual(names.sort(), [
            "__fp_free",
            "__fp_gen_ask",
            "__fp_guest_resolve_async_value",
            "__fp_malloc",
            "env.log",
            "env.print",
            "memory"
          ])
        })
      )
      it.effect("of a thousand problems all are there, and the message has the first of them and their number", () =>
        Effect.gen(function* () {
          const imports = Array.from({ length: 997 }, (_, i) => `(import "env" "f${i}" (func))`).join("")
          const error = yield* refused(yield* compile(`(module ${imports})`))
          assert.strictEqual(error.reason._tag === "LinkMismatch" && error.reason.problems.length, 1000)
          assert.match(error.message, /env\.f1: .*; and 950 more$/)
        })
      )
      it.effect("every problem is named at once", () =>
        Effect.gen(function* () {
          const text = replaced('__fp_gen_ask"', '__fp_gen_asked"').replace(
            `(memory (export "memory") 1)`,
            "(memory 1)"
          )
          assert.hasAllKeys(yield* mismatch(text), ["__fp_gen_asked", "memory"])
        })
      )
    })

    describe("a start function", () => {
      const started = (body: string) => plugin({ more: `(func $start ${body}) (start $start)` })
      it.effect.each([
        ["that traps", "(unreachable)"],
        ["that calls a host function", `(drop (call $ask (i64.const ${data.hello})))`],
        ["that answers a call", `(call $resolve (i64.const ${data.hello}) (i64.const ${data.ok}))`]
      ] as const)("%s: no instance can be made", ([, body]) =>
        Effect.gen(function* () {
          const { reason } = yield* refused(yield* compile(started(body)))
          assert.strictEqual(reason._tag, "InstantiationFailed")
        })
      )
      it.effect("that calls an async host function: it is interrupted, and the error says so", () =>
        Effect.gen(function* () {
          let running = 0
          const wait = Effect.acquireUseRelease(
            Effect.sync(() => running++),
            () => Effect.never,
            () => Effect.sync(() => running--)
          )
          const text = started("(drop (call $wait))").replace(
            "(import",
            `(import "fp" "__fp_gen_wait" (func $wait (result i64))) (import`
          )
          const error = yield* Waiter.make({ module: yield* compile(text) }).pipe(
            Effect.provide(Waiting.toLayer({ ...watHandlers, wait: () => wait })),
            Effect.flip
          )
          assert.match(error.message, /start function called a host function/)
          yield* eventually(() => assert.strictEqual(running, 0))
        })
      )
      it.effect("that throws an exception: the error says so", () =>
        Effect.gen(function* () {
          const error = yield* refused(
            yield* compile(started("(throw $thrown)").replace("(start", "(tag $thrown) (start"))
          )
          assert.match(error.message, /its start function threw an exception/)
        })
      )
      it.effect("that does neither runs once", () =>
        Effect.gen(function* () {
          const guest = yield* load(yield* compile(started("(global.set $heap (i32.const 2048))")))
          assert.strictEqual(yield* guest.number({ n: 3 }), 3)
        })
      )
    })

    describe("functions that the module leaves out", () => {
      const without = replaced(`(export "__fp_gen_number")`, "")
      it.effect("are listed, and fail when called, at once and typed", () =>
        Effect.gen(function* () {
          const guest = yield* load(yield* compile(without))
          assert.deepStrictEqual(Plugin.missing(guest), ["number"])
          const error = yield* Effect.flip(guest.number({ n: 1 }))
          assert.strictEqual(error.reason._tag, "MissingExports")
          assert.strictEqual(yield* guest.answer(), "ok")
        })
      )
      it.effect("fail the load when they are required", () =>
        Effect.gen(function* () {
          const bytes = yield* compile(without)
          for (const require of ["all", ["number"]] as const) {
            const { reason } = yield* refused(bytes, { require })
            assert.deepStrictEqual({ ...reason }, { ...new GuestError.MissingExports({ names: ["number"] }) })
          }
          assert.deepStrictEqual(Plugin.missing(yield* load(bytes, { require: ["answer"] })), ["number"])
        })
      )
    })

    describe("a module may be given", () => {
      it.effect("compiled: then only its names are checked", () =>
        Effect.gen(function* () {
          const guest = yield* load(PluginModule.fromCompiled(new WebAssembly.Module(yield* compile(plugin()))))
          assert.strictEqual(yield* guest.answer(), "ok")
          const other = PluginModule.fromCompiled(
            new WebAssembly.Module(yield* compile(replaced('__fp_gen_ask"', '__fp_gen_asked"')))
          )
          assert.strictEqual((yield* refused(other)).reason._tag, "LinkMismatch")
        })
      )
      it.effect("compiled: a signature that nobody could check is found out by the call", () =>
        Effect.gen(function* () {
          const text = replaced(
            '(func (export "__fp_gen_text") (result i64)',
            '(func (export "__fp_gen_text") (result i32)'
          )
          const module = new WebAssembly.Module(
            yield* compile(
              text.replace(
                `(i64.const ${data.ok}))\n  (func (export "__fp_gen_take")`,
                '(i32.const 1))\n  (func (export "__fp_gen_take")'
              )
            )
          )
          const guest = yield* load(PluginModule.fromCompiled(module))
          const error = yield* Effect.flip(guest.text())
          assert.strictEqual(error.reason._tag, "ProtocolViolation")
          assert.match(error.message, /signatures are not the contract's/)
        })
      )
      it.effect.each([
        ["several results for a value", "text", "text", "(result i64 i64) (i64.const 1) (i64.const 2)"],
        ["a reference for a value", "text", "text", "(result funcref) (ref.func $it)"],
        ["no result for a number", "number", "number", "(param i32)"],
        [
          "several results for a number",
          "number",
          "number",
          "(param i32) (result i32 i32) (i32.const 1) (i32.const 2)"
        ],
        ["several results for an AsyncValue", "answer", "answer", "(result i64 i64) (i64.const 1) (i64.const 2)"],
        [
          "several results where memory is due",
          "malloc",
          "take",
          "(param i32) (result i64 i64) (i64.const 1) (i64.const 2)"
        ]
      ] as const)("compiled: %s is no answer", ([, exported, called, func]) =>
        Effect.gen(function* () {
          const name = exported === "malloc" ? "__fp_malloc" : `__fp_gen_${exported}`
          const text = replaced(`(export "${name}")`, "").replace(/\)$/, `(func $it (export "${name}") ${func}))`)
          const guest = yield* load(PluginModule.fromCompiled(new WebAssembly.Module(yield* compile(text))))
          const calls = {
            text: guest.text(),
            number: guest.number({ n: 1 }),
            answer: guest.answer(),
            take: guest.take({ text: "a", more: "b" })
          }
          const error = yield* Effect.flip<unknown, GuestError.GuestError, never>(calls[called])
          assert.strictEqual(error.reason._tag, "ProtocolViolation", error.message)
          assert.match(error.message, /signatures are not the contract's/)
        })
      )
      it.effect("as bytes: equal content is compiled once for an executor", () =>
        Effect.gen(function* () {
          const bytes = yield* compile(plugin())
          const compiled = yield* countCompilations
          yield* Effect.forEach(
            Array.from({ length: 5 }, () => bytes.slice()),
            (module) => load(module),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(compiled(), 1)
        }).pipe(Effect.provide(executor()))
      )
      it.effect("in a buffer that is used again at once", () =>
        Effect.gen(function* () {
          const bytes = yield* compile(plugin())
          const guest = yield* Effect.forkChild(load(bytes), { startImmediately: true })
          bytes.fill(0)
          assert.strictEqual(yield* (yield* Fiber.join(guest)).answer(), "ok")
        })
      )
    })
  })

/** How often the engine compiles within the scope. */
const countCompilations = Effect.acquireRelease(
  Effect.sync(() => {
    const compile = WebAssembly.compile
    let count = 0
    WebAssembly.compile = (bytes: BufferSource) => {
      count++
      return compile(bytes)
    }
    return { compile, count: () => count }
  }),
  ({ compile }) => Effect.sync(() => Object.assign(WebAssembly, { compile }))
).pipe(Effect.map(({ count }) => count))
