import { assert, layer } from "@effect/vitest"
import { Abi, type GuestExecutor, HostFunctions, Plugin } from "@fiberhost/wasm-host"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, SchemaTransformation, Scope } from "effect"
import { Rpc } from "effect/rpc"
import {
  Conformance,
  ConformanceImports,
  conformanceHandlers,
  conformanceModule,
  hostOf
} from "../fixtures/conformance.ts"
import { eventually, turn } from "../fixtures/eventually.ts"
import { HostileImports, hostileHandlers } from "../fixtures/hostile/contract.ts"
import { asking, data, hostile } from "../fixtures/hostile/guest.ts"
import type { Topology } from "../fixtures/topologies.ts"
import { compile } from "../fixtures/wat.ts"

const hooks = { encode: (_: number): void => {} }

/** A number whose transformation is the test's code. */
const Hooked = Abi.U32.pipe(
  Schema.decodeTo(
    Schema.Number,
    SchemaTransformation.transform({
      decode: (n: number) => n,
      encode: (n: number) => {
        hooks.encode(n)
        return n
      }
    })
  )
)

const others = ConformanceImports.functions.filter(({ _tag }) => _tag !== "host_delay")
class HookedImports extends HostFunctions.Service<HookedImports>()("reentry/Imports", [
  ...(others as ReadonlyArray<Exclude<(typeof others)[number], { readonly _tag: "host_delay" }>>),
  Rpc.make("host_delay", { payload: { id: Abi.U32 }, success: Hooked })
]) {}

class HookedGuest extends Plugin.Service<HookedGuest>()("reentry/Guest", {
  imports: HookedImports,
  exports: [Rpc.make("sequence", { payload: { count: Abi.U32 }, success: Schema.Array(Abi.U32) })]
}) {}

const unused = HostileImports.functions.filter(({ _tag }) => _tag !== "ask")
class CleaningImports extends HostFunctions.Service<CleaningImports>()("reentry/CleaningImports", [
  ...(unused as ReadonlyArray<Exclude<(typeof unused)[number], { readonly _tag: "ask" }>>),
  Rpc.make("ask", { payload: { text: Schema.String }, success: Schema.String, error: Schema.String }).annotate(
    Abi.OnInterrupt,
    "left"
  )
]) {}

/** Asks once more whenever it is answered, three times over. */
class CleaningGuest extends Plugin.Service<CleaningGuest>()("reentry/CleaningGuest", {
  imports: CleaningImports,
  exports: [Rpc.make("answer", { success: Schema.String })]
}) {}
const cleaningModule = compile(
  hostile({
    more: "(global $i (mut i32) (i32.const 0))",
    answer: asking(`(call $ask (i64.const ${data.hello}))`),
    wake: `(if (i32.lt_u (global.get $i) (i32.const 3))
      (then (global.set $i (i32.add (global.get $i) (i32.const 1)))
        (call $link (call $ask (i64.const ${data.hello})) (call $linked (local.get $value))))
      (else (call $resolve (call $linked (local.get $value)) (i64.const ${data.ok}))))`
  })
)

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Users' code that runs within codecs and handlers, and does there what it likes. */
export const reentrySuite = ({ conformance, executor, name }: Topology) =>
  layer(Layer.merge(executor(), conformance))(`code of users within calls of a guest ${name}`, (it) => {
    const guestOf = (replaced: Parameters<typeof hostOf>[0]) =>
      Conformance.make({ module: conformanceModule }).pipe(Effect.provide(hostOf(replaced)))
    const on = <A, E, R>(options: GuestExecutor.Options, effect: Effect.Effect<A, E, R>) =>
      Effect.flatMap(Layer.build(executor(options)), (context) => Effect.provide(effect, context))
    /** Whoever is told of an interruption may be told within what caused it. */
    const isLeft = <R extends Rpc.Any>(guest: Plugin.Plugin<R>) =>
      Effect.andThen(
        turn,
        eventually(() => assert.deepInclude(Plugin.stats(guest)[0], { calls: 0, hostCalls: 0, alive: true }))
      )

    it.effect("what is thrown and cannot be looked at fails its own call", () =>
      Effect.gen(function* () {
        const guest = yield* on({ concurrency: 1 }, guestOf({}))
        for (const thrown of [Object.create(null), revoked()]) {
          const payload = {
            get value(): string {
              throw thrown
            }
          }
          for (const call of [guest.echo_string(payload), guest.echo_string_async(payload)]) {
            const { reason } = yield* Effect.flip(call)
            assert.strictEqual(reason._tag === "ValueRefused" && reason.path, "value")
          }
          assert.strictEqual(yield* guest.early(), 42)
        }
        yield* isLeft(guest)
      })
    )

    it.effect("what a host function fails with and cannot be looked at fails its own call", () =>
      Effect.gen(function* () {
        const fails = Effect.fail(revoked() as never)
        for (const host_try of [() => fails, () => Effect.andThen(Effect.yieldNow, fails)]) {
          const guest = yield* guestOf({ host_try })
          assert.isTrue(Exit.isFailure(yield* Effect.exit(guest.via_host_try({ id: 1 }))))
          assert.strictEqual(yield* guest.early(), 42)
          yield* isLeft(guest)
        }
      })
    )

    it.effect("a caller that is interrupted while its payload is read does not enter the guest", () =>
      Effect.gen(function* () {
        let began = 0
        const guest = yield* on(
          { concurrency: 1 },
          guestOf({
            host_try: () =>
              Effect.andThen(
                Effect.sync(() => began++),
                Effect.never
              )
          })
        )
        let inner: Fiber.Fiber<unknown, unknown> | undefined
        yield* guest.echo_string({
          get value() {
            inner = Effect.runFork(
              guest.via_host_try({
                get id() {
                  inner!.interruptUnsafe()
                  return 1
                }
              })
            )
            return "x"
          }
        })
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(inner!)))
        assert.strictEqual(yield* guest.early(), 42)
        yield* isLeft(guest)
        assert.strictEqual(began, 0)
        assert.strictEqual(Plugin.stats(guest)[0]!.abandoned, 0)
      })
    )

    it.effect("calls that are nested deep look at those around them once each", () =>
      Effect.gen(function* () {
        const signature = ConformanceImports.signatures.find(({ name }) => name === "host_try")!
        let looks = 0
        const plain = Object.getOwnPropertyDescriptor(signature, "sync")!
        const get = () => {
          looks++
          return plain.value
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => Object.defineProperty(signature, "sync", { configurable: true, get })),
          () => Effect.sync(() => Object.defineProperty(signature, "sync", plain))
        )
        const guest: Conformance["Service"] = yield* guestOf({
          host_try: ({ id }) =>
            id === 0
              ? Effect.as(Effect.yieldNow, 0)
              : Effect.catchTag(
                  Effect.suspend(() => guest.via_host_try({ id: id - 1 })),
                  "GuestError",
                  Effect.die
                )
        })
        const looksOf = (depth: number) =>
          Effect.map(guest.via_host_try({ id: depth }), () => {
            const counted = looks
            looks = 0
            return counted
          })
        const [half, whole] = [yield* looksOf(100), yield* looksOf(200)]
        assert.isAbove(half, 0)
        assert.isBelow(whole, 3 * half)
      })
    )

    it.effect("a handler that interrupts its caller before it begins to wait is interrupted", () =>
      Effect.gen(function* () {
        let caller: Fiber.Fiber<unknown, unknown> | undefined
        const guest = yield* guestOf({
          host_delay: ({ id }) => {
            if (id === 0) return Effect.as(Effect.yieldNow, id)
            caller!.interruptUnsafe()
            return Effect.never
          }
        })
        caller = yield* Effect.forkChild(guest.sequence({ count: 3 }))
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
        yield* isLeft(guest)
      })
    )

    it.effect("an answer whose transformation closes the guest leads to no further host call", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const asked: Array<number> = []
        const host = HookedImports.toLayer({
          ...conformanceHandlers,
          host_delay: ({ id }) => {
            asked.push(id)
            return Effect.as(Effect.yieldNow, id)
          }
        })
        const guest = yield* HookedGuest.make({ module: conformanceModule }).pipe(
          Effect.provide(host),
          Scope.provide(scope)
        )
        hooks.encode = () => void Effect.runFork(Scope.close(scope, Exit.void))
        yield* Effect.addFinalizer(() => Effect.sync(() => (hooks.encode = () => {})))
        const { reason } = yield* Effect.flip(guest.sequence({ count: 3 }))
        assert.strictEqual(reason._tag, "Closed")
        assert.deepStrictEqual(asked, [0])
      })
    )

    it.effect("a caller who leaves while his answer is made: what is asked for next is interrupted", () =>
      Effect.gen(function* () {
        for (const leaves of ["in the transformation", "in the function"]) {
          const asked: Array<number> = []
          let caller: Fiber.Fiber<unknown, unknown> | undefined
          const leave = () => caller!.interruptUnsafe()
          const host = HookedImports.toLayer({
            ...conformanceHandlers,
            host_delay: ({ id }) => {
              asked.push(id)
              if (id === 0) return Effect.as(Effect.yieldNow, id)
              if (id === 2) return Effect.succeed(id)
              if (id > 2) return Effect.never
              if (leaves === "in the function") leave()
              return Effect.succeed(id)
            }
          })
          const guest = yield* HookedGuest.make({ module: conformanceModule }).pipe(Effect.provide(host))
          hooks.encode = (id) => {
            if (id === 1 && leaves === "in the transformation") leave()
          }
          yield* Effect.addFinalizer(() => Effect.sync(() => (hooks.encode = () => {})))
          caller = yield* Effect.forkChild(guest.sequence({ count: 5 }))
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
          yield* isLeft(guest)
          assert.deepStrictEqual(asked, [0, 1, 2, 3])
        }
      })
    )

    it.effect("a caller who leaves while an answer waits for its turn: what is asked for next is interrupted", () =>
      Effect.gen(function* () {
        const answered = yield* Deferred.make<void>()
        const asked: Array<number> = []
        let caller: Fiber.Fiber<unknown, unknown> | undefined
        const guest = yield* guestOf({
          host_delay: ({ id }) => {
            asked.push(id)
            return id === 0 ? Effect.as(Deferred.await(answered), id) : Effect.never
          },
          // The guest is on the stack.
          host_sync_string: ({ text }) =>
            Effect.sync(() => {
              Deferred.doneUnsafe(answered, Exit.void)
              caller!.interruptUnsafe()
              return text
            })
        })
        caller = yield* Effect.forkChild(guest.sequence({ count: 3 }), { startImmediately: true })
        yield* eventually(() => assert.deepStrictEqual(asked, [0]))
        assert.strictEqual(yield* guest.via_host_sync_string({ text: "x" }), "x")
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(caller)))
        yield* isLeft(guest)
        assert.deepStrictEqual(asked, [0, 1])
      })
    )

    it.effect("what a guest asks for, one after the other, once it was told that its caller has left, runs on", () =>
      Effect.gen(function* () {
        const ended: Array<string> = []
        const host = CleaningImports.toLayer({
          ...hostileHandlers,
          ask: () => {
            const wait = ended.length === 0 ? Effect.never : Effect.repeat(turn, { times: 3 })
            return wait.pipe(
              Effect.as("ok"),
              Effect.onExit((exit) => Effect.sync(() => ended.push(Exit.isSuccess(exit) ? "ok" : "interrupted")))
            )
          }
        })
        const guest = yield* CleaningGuest.make({ module: yield* cleaningModule }).pipe(Effect.provide(host))
        const caller = yield* Effect.forkChild(guest.answer(), { startImmediately: true })
        yield* eventually(() => assert.deepInclude(Plugin.stats(guest)[0], { hostCalls: 1 }))
        yield* Fiber.interrupt(caller)
        yield* eventually(() => assert.deepStrictEqual(ended, ["interrupted", "ok", "ok", "ok"]))
        yield* isLeft(guest)
      })
    )
  })
