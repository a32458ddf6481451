import { assert, describe, layer } from "@effect/vitest"
import { Abi, Plugin } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer, Option, Result, Schema, SchemaTransformation, Struct } from "effect"
import { Conformance, ConformanceImports, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import * as T from "../fixtures/conformanceTypes.ts"
import { eventually } from "../fixtures/eventually.ts"
import { steered } from "../fixtures/steered.ts"
import type { Topology } from "../fixtures/topologies.ts"

const Positive = T.Id.check(Schema.isGreaterThan(0)).pipe(Schema.brand("Positive"))
const Length = T.Meters.pipe(Schema.decodeTo(Schema.String, SchemaTransformation.numberFromString.flip()))

class Refined extends Plugin.Service<Refined>()("conformance/Refined", {
  imports: ConformanceImports,
  exports: [
    Abi.sync("echo_alias", { payload: { value: Positive }, success: Positive }),
    Abi.sync("echo_newtype", { payload: { value: Length }, success: Length })
  ]
}) {}

/** Everything that a host must carry, through the real guest: equal to what went in, to the bit. */
export const conformanceSuite = ({ conformance, executor, name }: Topology) => {
  const Guest = Layer.provide(Conformance.layer({ module: conformanceModule }), hostOf())

  layer(Layer.merge(executor(), conformance))(`a guest ${name}`, (it) => {
    it.layer(Guest)("primitives", (it) => {
      const integers = {
        i8: [-128, -1, 0, 1, 127],
        i16: [-32_768, -1, 0, 32_767],
        i32: [-2_147_483_648, -1, 0, 2_147_483_647],
        u8: [0, 1, 127, 128, 255],
        u16: [0, 32_768, 65_535],
        u32: [0, 2_147_483_647, 2_147_483_648, 4_294_967_295]
      } as const
      for (const [kind, values] of Object.entries(integers) as ReadonlyArray<
        [keyof typeof integers, ReadonlyArray<number>]
      >) {
        it.effect(`${kind}, sync, async and through the host`, () =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            for (const value of values) {
              assert.strictEqual(yield* guest[`echo_${kind}`]({ value }), value)
              assert.strictEqual(yield* guest[`echo_${kind}_async`]({ value }), value)
              assert.strictEqual(yield* guest[`via_host_${kind}`]({ value }), value)
            }
          })
        )
        it.effect(`${kind} refuses what is outside its range, naming the argument`, () =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            for (const value of [values[0]! - 1, values.at(-1)! + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
              for (const call of [guest[`echo_${kind}`], guest[`echo_${kind}_async`]]) {
                const { reason } = yield* Effect.flip(call({ value }))
                assert.strictEqual(reason._tag, "ValueRefused")
                assert.strictEqual(reason._tag === "ValueRefused" && reason.path, "value")
              }
            }
          })
        )
      }

      const wide = {
        i64: [-(2n ** 63n), -(2n ** 53n) - 1n, -1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n],
        u64: [0n, 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]
      } as const
      for (const [kind, values] of Object.entries(wide) as ReadonlyArray<[keyof typeof wide, ReadonlyArray<bigint>]>) {
        it.effect(`${kind}, sync, async and through the host`, () =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            for (const value of values) {
              assert.strictEqual(yield* guest[`echo_${kind}`]({ value }), value)
              assert.strictEqual(yield* guest[`echo_${kind}_async`]({ value }), value)
              assert.strictEqual(yield* guest[`via_host_${kind}`]({ value }), value)
              assert.strictEqual(yield* guest[`via_host_${kind}_async`]({ value }), value)
            }
            for (const value of [values[0]! - 1n, values.at(-1)! + 1n]) {
              assert.strictEqual((yield* Effect.flip(guest[`echo_${kind}`]({ value }))).reason._tag, "ValueRefused")
            }
          })
        )
      }

      const floats = [0, -0, 1.5, -1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const edges = {
        f32: [...floats, 2 ** -149, 3.4028234663852886e38, Math.fround(0.1)],
        f64: [...floats, Number.MIN_VALUE, Number.MAX_VALUE, 0.1, 2 ** 53 + 2]
      }
      for (const kind of ["f32", "f64"] as const) {
        it.effect(`${kind}, sync, async and through the host`, () =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            for (const value of edges[kind]) {
              for (const call of [
                `echo_${kind}`,
                `echo_${kind}_async`,
                `via_host_${kind}`,
                `via_host_${kind}_async`
              ] as const) {
                assert.isTrue(Object.is(yield* guest[call]({ value }), value), `${call}(${value})`)
              }
            }
          })
        )
      }
      it.effect("f32 is rounded to the nearest, and refuses what would become an infinity", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          assert.strictEqual(yield* guest.echo_f32({ value: 0.1 }), Math.fround(0.1))
          assert.strictEqual((yield* Effect.flip(guest.echo_f32({ value: 1e39 }))).reason._tag, "ValueRefused")
        })
      )

      it.effect("bool, sync, async and through the host", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          for (const value of [true, false]) {
            for (const call of ["echo_bool", "echo_bool_async", "via_host_bool", "via_host_bool_async"] as const) {
              assert.strictEqual(yield* guest[call]({ value }), value)
            }
          }
        })
      )

      it.effect("the extremes that the guest knows are those that arrive, and the guest knows them again", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const extremes = yield* guest.extremes()
          assert.deepStrictEqual(extremes, {
            i8_min: -128,
            i8_max: 127,
            i16_min: -32_768,
            i16_max: 32_767,
            i32_min: -2_147_483_648,
            i32_max: 2_147_483_647,
            i64_min: -(2n ** 63n),
            i64_max: 2n ** 63n - 1n,
            u8_max: 255,
            u16_max: 65_535,
            u32_max: 4_294_967_295,
            u64_max: 2n ** 64n - 1n,
            f32_max: 3.4028234663852886e38,
            f32_smallest: 2 ** -149,
            f32_infinity: Number.POSITIVE_INFINITY,
            f32_negative_zero: -0,
            f64_max: Number.MAX_VALUE,
            f64_smallest: Number.MIN_VALUE,
            f64_infinity: Number.POSITIVE_INFINITY,
            f64_negative_infinity: Number.NEGATIVE_INFINITY,
            f64_negative_zero: -0
          })
          assert.isTrue(yield* guest.check_extremes({ value: extremes }))
          assert.isFalse(yield* guest.check_extremes({ value: { ...extremes, f64_negative_zero: 0 } }))
        })
      )

      it.effect("raw and MessagePack arguments side by side", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const value = {
            flag: true,
            small: -7,
            wide: 2n ** 64n - 1n,
            text: "side by side",
            real: 0.5,
            point: { x: -0, y: 1e300 }
          }
          assert.deepStrictEqual(yield* guest.mixed(value), value)
          assert.deepStrictEqual(yield* guest.mixed_async(value), value)
          assert.deepStrictEqual(yield* guest.via_host_mixed(value), value)
        })
      )
    })

    it.layer(Guest)("strings and bytes", (it) => {
      const strings = {
        empty: "",
        "a zero character": "a\0b",
        ASCII: "The quick brown fox",
        "Latin and Greek": "naïve Ωmega",
        "the end of each plane": [0xd7ff, 0xe000, 0xffff, 0x1_0000, 0x1_ffff, 0x2_ffff, 0xf_ffff, 0x10_ffff]
          .map((point) => String.fromCodePoint(point))
          .join(""),
        "combining characters": "e\u0301\u0323 👩‍👩‍👧‍👦 🏳️‍🌈",
        "a byte order mark": "\ufefftext",
        "1 MiB": "é".repeat(2 ** 19)
      }
      for (const [what, value] of Object.entries(strings)) {
        it.effect(what, () =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            assert.isTrue((yield* guest.echo_string({ value })) === value)
            assert.isTrue((yield* guest.echo_string_async({ value })) === value)
            assert.isTrue((yield* guest.via_host_sync_string({ text: value })) === value)
            assert.isTrue((yield* guest.via_host_echo({ text: value })) === value)
          })
        )
      }
      it.effect("of every length up to 300", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          for (let length = 0; length <= 300; length++) {
            const value = Array.from({ length }, (_, i) => String.fromCharCode(33 + (i % 90))).join("")
            assert.strictEqual(yield* guest.echo_string({ value }), value)
            assert.strictEqual(yield* guest.via_host_echo({ text: value }), value)
          }
        })
      )
      it.effect("the guest counts the same code points", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const text = strings["the end of each plane"] + strings["combining characters"]
          const chars = Array.from(text, (char) => char.codePointAt(0)!)
          assert.deepStrictEqual(yield* guest.string_chars({ text }), chars)
          assert.strictEqual(yield* guest.string_from_chars({ chars }), text)
        })
      )
      it.effect("a lone surrogate is refused before the guest is entered", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const error = yield* Effect.flip(guest.echo_string({ value: "a\ud800b" }))
          assert.strictEqual(error.reason._tag, "ValueRefused")
          assert.strictEqual(yield* guest.echo_string({ value: "next" }), "next")
        })
      )

      const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i)
      for (const length of [0, 1, 255, 256, 65_536, 1_000_000]) {
        it.effect(`${length} bytes`, () =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            const value = bytes(length)
            assert.isTrue(equal(yield* guest.echo_bytes({ value }), value))
            assert.isTrue(equal(yield* guest.echo_byte_buf({ value }), value))
            assert.isTrue(equal(yield* guest.via_host_bytes({ value }), value))
            assert.isTrue(equal(yield* guest.make_bytes({ len: length }), value))
          })
        )
      }
      it.effect("the largest value that a guest takes, and one byte more is refused", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          // 16,777,215 bytes less the five of MessagePack's header.
          const value = bytes(16_777_210)
          assert.isTrue(equal(yield* guest.echo_bytes({ value }), value))
          const error = yield* Effect.flip(guest.echo_bytes({ value: bytes(16_777_211) }))
          assert.strictEqual(error.reason._tag, "ValueTooLarge")
        })
      )
      it.effect("bytes that arrive are a copy: the guest's memory may grow and move", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const first = yield* guest.make_bytes({ len: 100 })
          yield* guest.grow({ mib: 8 })
          yield* guest.make_bytes({ len: 100_000 })
          assert.isTrue(equal(first, bytes(100)))
        })
      )
    })

    it.layer(Guest)("values", (it) => {
      /** One row a function: what goes in comes back. */
      const rows: ReadonlyArray<Row> = [
        row("echo_option", Option.none(), Option.some(""), Option.some("there")),
        row("echo_list_u8", [], [0, 255]),
        row("echo_list_u32", [], [0, 4_294_967_295]),
        row("echo_list_u64", [], [0n, 2n ** 64n - 1n]),
        row(
          "echo_list_f64",
          [],
          [0, -0, 1, Number.NaN],
          Array.from({ length: 1000 }, (_, i) => i / 3)
        ),
        row("echo_list_bool", [true, false]),
        row("echo_list_string", ["", "a", "é"]),
        row("echo_list_point", [{ x: 1, y: 2 }]),
        row("echo_list_option", [Option.none(), Option.some(1)]),
        row("echo_array_u8", [1, 2, 255]),
        row("echo_array_i32", [-2_147_483_648, 2_147_483_647]),
        row("echo_array_f32", [-0, 0.5]),
        row("echo_array_f64", [0, -0, Number.MAX_VALUE, Number.NEGATIVE_INFINITY]),
        row("echo_point", { x: -0, y: Number.NaN }),
        row("echo_empty", {}),
        row("echo_newtype", 1, 0.1),
        row("echo_alias", 0, 4_294_967_295),
        row("echo_tuple", [255, "text", true]),
        row("echo_instant", new Date("2026-02-28T23:59:59.999Z"), new Date(0), new Date("0001-01-01T00:00:00.001Z")),
        row(
          "echo_optionals",
          { required: "r", optional: Option.none(), nested: Option.none(), defaulted: 0 },
          {
            required: "r",
            optional: Option.some("o"),
            nested: Option.some({ text: Option.none(), number: Option.some(2n ** 64n - 1n) }),
            omitted: "there",
            defaulted: 7
          }
        ),
        row("echo_renamed", { firstName: "Ada", kind: "person", id: 2n ** 63n }),
        row("echo_flattened", { name: "n", x: 1, y: 2 }, { name: "n", x: 1, y: 2, more: 3n, __proto: 4n }),
        row("echo_wide", {
          unsigned: 2n ** 64n - 1n,
          signed: -(2n ** 63n),
          list: [2n ** 53n + 1n],
          optional: Option.some(-1n)
        }),
        row("echo_collections", {
          by_name: { a: 1, b: 2 },
          by_number: new Map([
            [0, "zero"],
            [4_294_967_295, "most"]
          ]),
          hashed: new Map([["one", 1]]),
          set: new Set(["a", "b"])
        }),
        row("echo_tree", {
          value: 1,
          left: { value: 2, left: null, children: [] },
          children: [{ value: 3, left: null, children: [] }]
        }),
        row("echo_timestamps", { at: new Date(1), maybe: Option.some(new Date(2)), list: [new Date(3)] }),
        row("echo_outcomes", {
          one: Result.succeed(1),
          many: [Result.succeed(2), Result.fail("no")],
          unit: Result.succeed(undefined),
          unit_error: Result.fail(undefined)
        }),
        row("echo_level", "debug", "very_loud", "WARNING"),
        row(
          "echo_external",
          "Unit",
          { Newtype: 2n ** 64n - 1n },
          { Tuple: [1, "two"] },
          { Struct: { id: 1, name: Option.some("n") } }
        ),
        row(
          "echo_internal",
          { type: "unit" },
          { type: "newtype", x: 1, y: 2 },
          { type: "struct", itemId: 2n ** 63n, name: Option.none() }
        ),
        row(
          "echo_adjacent",
          { type: "Unit" },
          { type: "Newtype", value: 1n },
          { type: "Tuple", value: [1, "two"] },
          { type: "Struct", value: { id: 1, name: Option.some("n") } }
        ),
        row("echo_untagged", true, -(2n ** 63n), 0.5, "text", { x: 1, y: 2 }, [1, 2]),
        row("echo_page_point", { items: [{ x: 1, y: 2 }], total: 2n ** 64n - 1n, next: Option.some("more") }),
        row("echo_page_string", { items: [], total: 0n, next: Option.none() }),
        row("echo_json", null, true, -1, 0.5, "text", [1, [2]], { a: { b: null } })
      ]
      for (const { function: tag, values } of rows) {
        it.effect(tag, () =>
          Effect.gen(function* () {
            const call: (payload: { readonly value: unknown }) => Effect.Effect<unknown, unknown> = Reflect.get(
              yield* Conformance,
              tag
            )
            for (const value of values) assert.deepStrictEqual(yield* call({ value }), value)
          })
        )
      }

      it.effect("a number that is a value stays one under checks, brands and transformations", () =>
        Effect.gen(function* () {
          const guest = yield* Refined.make({ module: conformanceModule })
          assert.strictEqual(yield* guest.echo_alias({ value: Positive.make(7) }), 7)
          assert.strictEqual(yield* guest.echo_newtype({ value: "0.5" }), "0.5")
        }).pipe(Effect.provide(hostOf()))
      )

      it.effect("one value of every kind comes back from every way through", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const value = yield* guest.everything()
          assert.deepStrictEqual(yield* guest.echo_everything({ value }), value)
          assert.deepStrictEqual(yield* guest.echo_everything_async({ value }), value)
          assert.deepStrictEqual(yield* guest.via_host_sync_struct({ value }), value)
          assert.deepStrictEqual(yield* guest.via_host_async_struct({ value }), value)
        })
      )

      it.effect.prop(
        "arbitrary values of every kind come back",
        [Schema.Struct(Struct.omit(T.Everything.fields, ["flattened"]))],
        ([{ extremes, ...rest }]) =>
          Effect.gen(function* () {
            const guest = yield* Conformance
            const { flattened } = yield* guest.everything()
            const value = { ...rest, flattened, extremes: rounded(extremes) }
            const answer = yield* Effect.result(guest.echo_everything({ value }))
            if (hasLoneSurrogate(value)) {
              assert.isTrue(Result.isFailure(answer) && answer.failure.reason._tag === "ValueRefused")
              return
            }
            assert.deepStrictEqual(answer, Result.succeed(value))
            assert.deepStrictEqual(yield* guest.via_host_async_struct({ value }), value)
          }),
        { arbitrary: { seed: 194, runs: 50 } }
      )

      it.effect("a date-time is a moment in milliseconds: what the guest knows finer is cut", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const at = new Date("2026-03-04T05:06:07.890Z")
          assert.deepStrictEqual(yield* guest.echo_instant({ value: at }), at)
        })
      )
    })

    it.layer(Guest)("results", (it) => {
      it.effect("Ok is the answer and Err the typed failure, sync and async", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          for (const divide of [guest.divide, guest.divide_async]) {
            assert.strictEqual(yield* divide({ a: 7, b: 2 }), 3)
            assert.strictEqual(yield* Effect.flip(divide({ a: 1, b: 0 })), "division by zero")
          }
        })
      )
      it.effect("unit on either side", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          for (const unit of [guest.result_unit, guest.result_unit_async]) {
            assert.isUndefined(yield* unit({ ok: true }))
            const error = yield* Effect.flip(unit({ ok: false }))
            assert.deepStrictEqual({ ...error }, { ...new T.Failed({ message: "not ok" }) })
          }
          assert.strictEqual(yield* guest.result_unit_error({ ok: true }), 1)
          assert.isUndefined(yield* Effect.flip(guest.result_unit_error({ ok: false })))
        })
      )
      it.effect("a host function's failure is the guest's Err, and its own when the guest passes it on", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance.make({ module: conformanceModule })
          const error = yield* Effect.flip(guest.via_host_try({ id: 1 }))
          assert.strictEqual(error._tag, "Failed")
          assert.strictEqual((yield* Effect.flip(guest.via_host_sync_result({ text: "x" })))._tag, "Failed")
          const request = { method: "GET", url: "u", headers: { a: "b" }, body: Option.none() } as const
          assert.deepStrictEqual(
            { ...(yield* Effect.flip(guest.fetch({ request }))) },
            { ...new T.Timeout({ afterMillis: 2n ** 64n - 1n }) }
          )
        }).pipe(
          Effect.provide(
            hostOf({
              host_try: () => Effect.fail(new T.Failed({ message: "host" })),
              host_sync_result: () => Effect.fail(new T.Failed({ message: "host" })),
              host_fetch: () => Effect.fail(new T.Timeout({ afterMillis: 2n ** 64n - 1n }))
            })
          )
        )
      )
      it.effect("a struct in, a struct out, by way of the host", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const request = {
            method: "POST",
            url: "http://localhost/",
            headers: { accept: "*/*" },
            body: Option.some(new Uint8Array([1]))
          } as const
          const response = yield* guest.fetch({ request })
          assert.strictEqual(response.tookNanos, 2n ** 60n)
          assert.strictEqual(new TextDecoder().decode(response.body), request.url)
        })
      )
    })

    it.layer(Guest)("ways to wait", (it) => {
      it.effect("an answer that is there before the export returns", () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* (yield* Conformance).early(), 42)
        })
      )
      it.effect("nothing as an answer, sync and async", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          assert.isUndefined(yield* guest.void_sync())
          assert.isUndefined(yield* guest.void_async())
        })
      )
      it.effect("one host call after another, and many at once", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
          assert.deepStrictEqual(yield* guest.sequence({ count: 20 }), numbers(20))
          assert.deepStrictEqual(yield* guest.join({ count: 30 }), numbers(30))
          assert.deepStrictEqual(yield* guest.join_bounded({ count: 500, limit: 100 }), numbers(500))
        })
      )
      it.effect("a host call that nobody waits for", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          assert.strictEqual(yield* guest.fire_and_forget({ id: 9 }), 9)
        })
      )
      it.effect("functions that the module leaves out are listed, and fail when called", () =>
        Effect.gen(function* () {
          const guest = yield* Conformance
          assert.deepStrictEqual(Plugin.missing(guest), ["left_out_async", "left_out_sync"])
          assert.strictEqual((yield* Effect.flip(guest.left_out_async())).reason._tag, "MissingExports")
          assert.strictEqual((yield* Effect.flip(guest.left_out_sync({ value: 1 }))).reason._tag, "MissingExports")
        })
      )
    })

    describe("host calls answered in an order of their own", () => {
      it.effect("a future that is polled after its answer has come", () =>
        Effect.gen(function* () {
          const { answer, guest, started } = yield* steered
          const call = yield* Effect.forkChild(guest.late_poll({ first: 1, second: 2 }), { startImmediately: true })
          yield* eventually(() => assert.deepStrictEqual(started, [1, 2]))
          yield* answer(1)
          yield* answer(2)
          assert.deepStrictEqual(yield* Fiber.join(call), [1, 2])
        })
      )
      it.effect("a race is won by the first answer, and its loser's answer goes nowhere", () =>
        Effect.gen(function* () {
          const { answer, guest } = yield* steered
          for (const [winner, loser] of [
            [1, 2],
            [4, 3]
          ] as const) {
            const [a, b] = [Math.min(winner, loser), Math.max(winner, loser)]
            const call = yield* Effect.forkChild(guest.race({ a, b }), { startImmediately: true })
            yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 2))
            yield* answer(winner)
            assert.strictEqual(yield* Fiber.join(call), winner)
            assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 1)
            yield* answer(loser)
            yield* eventually(() => assert.strictEqual(Plugin.stats(guest)[0]!.hostCalls, 0))
          }
        })
      )
    })
  })
}

interface Row {
  readonly function: string
  readonly values: ReadonlyArray<unknown>
}

const row = (name: string, ...values: ReadonlyArray<unknown>): Row => ({ function: name, values })

/** A string that UTF-8 cannot say, somewhere in the value. */
const hasLoneSurrogate = (value: unknown): boolean => {
  let found = false
  JSON.stringify(value, (key, part) => {
    found ||= !key.isWellFormed() || (typeof part === "string" && !part.isWellFormed())
    return typeof part === "bigint" ? Number(part) : part
  })
  return found
}

/** An f32 is rounded when it is written. */
const rounded = (extremes: typeof T.Extremes.Type): typeof T.Extremes.Type => ({
  ...extremes,
  f32_max: Math.fround(extremes.f32_max),
  f32_smallest: Math.fround(extremes.f32_smallest),
  f32_infinity: Math.fround(extremes.f32_infinity),
  f32_negative_zero: Math.fround(extremes.f32_negative_zero)
})

/** `deepStrictEqual` of millions of bytes takes seconds. */
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
