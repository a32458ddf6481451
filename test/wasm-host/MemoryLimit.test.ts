import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { GuestError, GuestExecutor, PluginModule } from "@fiberhost/wasm-host"
import { Effect, Exit, Layer } from "effect"
import { Conformance, ConformanceHost, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import { randomOf } from "../fixtures/random.ts"
import { compile, plugin } from "../fixtures/wat.ts"

const page = 65_536

const limited = Effect.fn(function* (bytes: Uint8Array<ArrayBuffer>, pages: number) {
  return yield* PluginModule.limited(yield* PluginModule.make(bytes), { memory: pages * page })
})

const refused = Effect.fn(function* (module: Effect.Effect<PluginModule.PluginModule, GuestError.GuestError>) {
  const error = yield* Effect.flip(module)
  assert.instanceOf(error, GuestError.GuestError)
  assert.strictEqual(error.reason._tag, "MemoryLimitRefused")
  return error
})

const instantiate = (module: PluginModule.PluginModule): WebAssembly.Exports => {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {}
  for (const { kind, module: from, name } of WebAssembly.Module.imports(module.compiled)) {
    assert.strictEqual(kind, "function")
    imports[from] = { ...imports[from], [name]: () => 0n }
  }
  return new WebAssembly.Instance(module.compiled, imports).exports
}

/** A module that exports its memory and its own `memory.grow`. */
const growing = (memory: string, address = "i32") =>
  compile(`(module
    (memory (export "memory") ${memory})
    (func (export "grow") (param $pages ${address}) (result ${address}) (memory.grow (local.get $pages))))`)

/** Shared memory is written as `1 100 shared`. */
const growingOf = (memory: string) =>
  Effect.map(growing(memory.replace(" shared", "")), (bytes) =>
    memory.endsWith("shared") ? bytes.with(indexOf(bytes, [5, 4, 1, 1]) + 3, 3) : bytes
  )

const grow = ({ grow }: WebAssembly.Exports, pages: number | bigint): number =>
  Number((grow as (pages: number | bigint) => number | bigint)(pages))

// Binary format, by hand: what no text says

const leb = (value: number, length = 1): ReadonlyArray<number> =>
  value < 0x80 && length <= 1 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7, length - 1)]

const section = (id: number, body: ReadonlyArray<number>, length = 1) => [id, ...leb(body.length, length), ...body]

const custom = (name: string, content: ReadonlyArray<number>) =>
  section(0, [name.length, ...new TextEncoder().encode(name), ...content])

const moduleOf = (...sections: ReadonlyArray<ReadonlyArray<number>>) =>
  new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()])

const indexOf = (bytes: Uint8Array, part: ReadonlyArray<number>): number => {
  const at = bytes.findIndex((_, index) => part.every((byte, i) => bytes[index + i] === byte))
  assert.notStrictEqual(at, -1)
  return at
}

const exportMemory = section(7, [1, 6, ...new TextEncoder().encode("memory"), 2, 0])

describe("a memory limit", () => {
  it.effect.each([
    ["no maximum", "1", 4],
    ["a maximum above it", "1 100", 4],
    ["a maximum below it", "1 3", 3],
    ["a maximum equal to it", "1 4", 4],
    ["a minimum equal to it", "4", 4],
    ["shared memory", "1 100 shared", 4]
  ] as const)("binds a module that has %s", ([, memory, most]) =>
    Effect.gen(function* () {
      const guest = instantiate(yield* limited(yield* growingOf(memory), 4))
      const { buffer } = guest["memory"] as WebAssembly.Memory
      assert.strictEqual(buffer instanceof SharedArrayBuffer, memory.includes("shared"))
      const begins = buffer.byteLength / page
      assert.strictEqual(grow(guest, most - begins + 1), -1)
      assert.strictEqual(grow(guest, most - begins), begins)
      assert.strictEqual(grow(guest, 1), -1)
    })
  )

  it.effect("binds a memory that is addressed with i64", () =>
    Effect.gen(function* () {
      const guest = instantiate(yield* limited(yield* growing("i64 1", "i64"), 4))
      assert.strictEqual(grow(guest, 4n), -1)
      assert.strictEqual(grow(guest, 3n), 1)
    })
  )

  it.effect("is rounded down to whole pages", () =>
    Effect.gen(function* () {
      const guest = instantiate(yield* PluginModule.limited(yield* growing("1"), { memory: 3 * page - 1 }))
      assert.strictEqual(grow(guest, 2), -1)
      assert.strictEqual(grow(guest, 1), 1)
    })
  )

  it.effect("only narrows", () =>
    Effect.gen(function* () {
      const narrow = yield* limited(yield* growing("1"), 2)
      const wide = yield* PluginModule.limited(narrow, { memory: 8 * page })
      assert.strictEqual(wide, narrow)
      assert.strictEqual(grow(instantiate(wide), 2), -1)
    })
  )

  it.effect("leaves the module that it is made from as it was", () =>
    Effect.gen(function* () {
      const module = yield* PluginModule.make(yield* growing("1"))
      yield* PluginModule.limited(module, { memory: page })
      assert.strictEqual(grow(instantiate(module), 8), 1)
    })
  )

  it.effect.each([
    ["one without memory", "(module)", 1],
    ["one whose maximum is lower", "(module (memory 1 2))", 3],
    ["any, of all that 32 bits address", "(module (memory 1))", 65_536],
    ["any, of more than 32 bits address", "(module (memory 1))", 1e6],
    ["any, of infinitely many bytes", "(module (memory 1))", Infinity]
  ] as const)("changes nothing in a module that it does not bind: %s", ([, text, pages]) =>
    Effect.gen(function* () {
      const module = yield* PluginModule.make(yield* compile(text))
      assert.strictEqual(yield* PluginModule.limited(module, { memory: pages * page }), module)
    })
  )

  it.effect("changes nothing else: every other section is the same, byte for byte", () =>
    Effect.gen(function* () {
      const text = yield* compile(plugin())
      const bytes = moduleOf(custom("before", [1, 2, 3]), [...text.subarray(8)], custom("after", [4, 5, 6]))
      const module = yield* PluginModule.make(bytes)
      const twin = yield* PluginModule.limited(module, { memory: 300 * page })

      const before = [5, 3, 1, 0, 1]
      const at = indexOf(bytes, before)
      assert.deepStrictEqual(
        [...twin.bytes!],
        [...bytes.subarray(0, at), 5, 5, 1, 1, 1, ...leb(300), ...bytes.subarray(at + before.length)]
      )
      assert.deepStrictEqual(twin.interface, module.interface)
      for (const name of ["before", "after"]) {
        assert.lengthOf(WebAssembly.Module.customSections(twin.compiled, name), 1)
      }
    })
  )

  it.effect("reads counts that take more bytes than they need", () =>
    Effect.gen(function* () {
      const memory = [...leb(1, 5), 1, ...leb(1, 5), ...leb(200, 5)]
      const guest = instantiate(yield* limited(moduleOf(section(5, memory, 5), exportMemory), 3))
      const exported = guest["memory"] as WebAssembly.Memory
      assert.throws(() => exported.grow(3), RangeError)
      assert.strictEqual(exported.grow(2), 1)
    })
  )

  it.effect("finds the memory behind sections of many bytes", () =>
    Effect.gen(function* () {
      const zeros = Array.from({ length: 20_000 }, () => 5)
      const guest = instantiate(yield* limited(moduleOf(custom("big", zeros), section(5, [1, 0, 1]), exportMemory), 3))
      assert.throws(() => (guest["memory"] as WebAssembly.Memory).grow(3), RangeError)
    })
  )
})

describe("a memory limit that is refused", () => {
  it.effect("one that the module begins above", () =>
    Effect.gen(function* () {
      const error = yield* refused(limited(yield* growing("5"), 4))
      assert.include(error.message, `limited to ${4 * page} bytes`)
      assert.include(error.message, `begins with ${5 * page} bytes. Raise the limit`)
    })
  )

  it.effect("one for a module that came compiled", () =>
    Effect.gen(function* () {
      const module = PluginModule.fromCompiled(new WebAssembly.Module(yield* growing("1")))
      const error = yield* refused(PluginModule.limited(module, { memory: page }, "tenant"))
      assert.match(error.message, /^tenant: .*Load it from its bytes$/)
    })
  )

  it.effect("one for several memories", () =>
    Effect.gen(function* () {
      const error = yield* refused(limited(moduleOf(section(5, [2, 0, 1, 0, 1])), 4))
      assert.include(error.message, "2 memories")
    })
  )

  it.effect("one for a memory with a page size of its own", () =>
    Effect.gen(function* () {
      // Not every engine compiles it.
      yield* refused(PluginModule.limited(moduleOf(section(5, [1, 8, 1, 0])), { memory: page }))
    })
  )

  it.effect.each([0, -page, page - 1, Number.NaN])("one of %d bytes is a defect", (memory) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(PluginModule.limited(yield* growing("1"), { memory }))
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  it.effect.each([
    ["nothing", new Uint8Array(0)],
    ["no module", new TextEncoder().encode("export default 1")],
    ["a section longer than the module", moduleOf([5, 100, 1, 0, 1])],
    ["a memory section with a byte too many", moduleOf(section(5, [1, 0, 1, 0]))],
    ["a memory section with a byte too few", moduleOf(section(5, [1, 1, 1]))],
    ["a minimum above the maximum", moduleOf(section(5, [1, 1, 9, 8]))],
    ["shared memory without a maximum", moduleOf(section(5, [1, 2, 1]))],
    ["a maximum that cannot be addressed", moduleOf(section(5, [1, 1, 1, ...leb(65_537)]))]
  ] as const)("the engine says what is wrong with bytes that are no module: %s", ([, bytes]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(PluginModule.limited(bytes, { memory: page }))
      assert.strictEqual(error.reason._tag, "InvalidModule")
    })
  )
})

describe("a memory limit on a guest built with fp-bindgen", () => {
  const mebibyte = 2 ** 20
  it.effect.each(["report", "conformance"])("%s has it all, and nothing beyond", (name) =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(readFileSync(new URL(`../../guests/${name}/${name}.wasm`, import.meta.url)))
      const guest = instantiate(yield* PluginModule.limited(bytes, { memory: 4 * mebibyte }))
      const memory = guest["memory"] as WebAssembly.Memory
      const malloc = guest["__fp_malloc"] as (length: number) => bigint
      const offset = (length: number) => malloc(length) >> 32n

      assert.notStrictEqual(offset(mebibyte), 0n)
      assert.strictEqual(offset(4 * mebibyte), 0n)
      const left = (4 * mebibyte - memory.buffer.byteLength) / page
      assert.throws(() => memory.grow(left + 1), RangeError)
      memory.grow(left)
    })
  )

  it.effect("fails the call that it has no room for, and answers others", () =>
    Effect.gen(function* () {
      const module = Effect.flatMap(conformanceModule, (module) =>
        PluginModule.limited(module, { memory: 4 * mebibyte })
      )
      const guest = yield* Effect.provide(Conformance.make({ module }), hostOf())
      const error = yield* Effect.flip(guest.echo_string({ value: "x".repeat(4 * mebibyte) }))
      assert.strictEqual(error.reason._tag, "OutOfMemory")
      assert.strictEqual(yield* guest.echo_string({ value: "x" }), "x")
    }).pipe(Effect.provide(Layer.merge(GuestExecutor.layer(), ConformanceHost.inApplication)))
  )
})

describe("a memory limit on modules made at random", () => {
  const random = randomOf(20)
  const below = (n: number) => Math.floor(random() * n)
  const randomModule = () => {
    const maximum = random() < 0.5
    const minimum = below(12)
    const memory = [
      ...leb(1, 1 + below(5)),
      Number(maximum),
      ...leb(minimum, 1 + below(5)),
      ...(maximum ? leb(minimum + below(300), 1 + below(5)) : [])
    ]
    const customs = () =>
      Array.from({ length: below(3) }, () =>
        custom(
          "c",
          Array.from({ length: below(200) }, () => below(256))
        )
      )
    return moduleOf(
      ...customs(),
      ...(random() < 0.9 ? [section(5, memory, 1 + below(5)), ...customs(), exportMemory] : []),
      ...customs()
    )
  }
  const reason = (exit: Exit.Exit<PluginModule.PluginModule, GuestError.GuestError>) =>
    Effect.map(Effect.flip(exit), (error) => error.reason._tag)
  const isWithin = (module: PluginModule.PluginModule, pages: number) => {
    const memory = instantiate(module)["memory"]
    if (!(memory instanceof WebAssembly.Memory)) return
    const begins = memory.buffer.byteLength / page
    assert.isAtMost(begins, pages)
    const more = pages - begins + 1
    const grow = memory.grow.bind(memory) as (pages: number | bigint) => number | bigint
    assert.throws(() => grow(module.interface.memory64 ? BigInt(more) : more), RangeError)
  }

  it.effect("compiles what compiles without it, and holds", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 500; i++) {
        const pages = 1 + below(12)
        const bytes = randomModule()
        const module = yield* PluginModule.make(bytes)
        const exit = yield* Effect.exit(PluginModule.limited(module, { memory: pages * page }))
        if (Exit.isSuccess(exit)) isWithin(exit.value, pages)
        else assert.strictEqual(yield* reason(exit), "MemoryLimitRefused")
      }
    })
  )

  it.effect("compiles nothing that does not compile without it, and holds", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 2000; i++) {
        const pages = 1 + below(12)
        const bytes = randomModule()
        for (let changes = 1 + below(2); changes > 0; changes--) bytes[below(bytes.length)] = below(256)
        const plain = yield* Effect.exit(PluginModule.make(bytes))
        const exit = yield* Effect.exit(PluginModule.limited(bytes, { memory: pages * page }))
        if (Exit.isFailure(exit)) assert.include(["MemoryLimitRefused", "InvalidModule"], yield* reason(exit))
        else if (Exit.isSuccess(plain)) isWithin(exit.value, pages)
        else assert.fail(`compiles with a limit of ${pages} pages only: ${bytes.toHex()}`)
      }
    })
  )
})
