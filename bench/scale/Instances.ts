// What instances of the conformance plugin cost a process in memory, by our host and as the engine makes them, and how many it can hold.
import { readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { GuestExecutor, Plugin } from "@fiberhost/wasm-host"
import { Effect, Layer, Scope } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../../test/fixtures/conformance.ts"
import { conformance } from "../calls/Calls.ts"

/** Bytes that one instance takes. */
export interface Footprint {
  /** Of linear memory, as the guest sees it. */
  readonly pages: number
  /** Of them, what the guest has written, which is what the machine has given; NaN where the platform does not say. */
  readonly touched: number
  /** Of the machine's memory, all together. */
  readonly resident: number
  /** Of JavaScript's heap. */
  readonly heap: number
}

export interface Held {
  readonly count: number
  /** What the caller of `make` was told instead of getting one more; undefined where that many were all that was asked for. */
  readonly refused: string | undefined
  /** Bytes of address space that the process had by then: the engine reserves gigabytes for each memory. NaN if unknown. */
  readonly reserved: number
}

/** Makes one more instance that has answered a call, and gives the size of its memory. */
type Make = () => Promise<number>

export const hosts: Readonly<Record<"fiberhost" | "floor", () => Promise<Make>>> = { fiberhost: ours, floor: raw }

async function ours(): Promise<Make> {
  const scope = Scope.makeUnsafe()
  const layers = Layer.merge(GuestExecutor.layer(), conformanceHost())
  const services = await Effect.runPromise(Layer.buildWithScope(layers, scope))
  const module = await Effect.runPromise(conformanceModule)
  const make = Effect.gen(function* () {
    const plugin = yield* Conformance.make({ module })
    yield* plugin.echo_u32({ value: 1 })
    return Plugin.stats(plugin)[0]!.memory
  }).pipe(Scope.provide(scope))
  const run = Effect.runPromiseWith(services)
  return () => run(make)
}

async function raw(): Promise<Make> {
  const module = await WebAssembly.compile(await readFile(conformance))
  const fp = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => {}]))
  const made: Array<WebAssembly.Instance> = []
  return async () => {
    const instance = new WebAssembly.Instance(module, { fp })
    made.push(instance)
    const { memory, __fp_gen_echo_u32: echo } = instance.exports
    ;(echo as (value: number) => number)(1)
    return (memory as WebAssembly.Memory).buffer.byteLength
  }
}

export async function footprint(make: Make, count: number): Promise<Footprint> {
  // The engine's own work for the first ones is not theirs.
  for (let i = 0; i < 32; i++) await make()
  const before = memory()
  let pages = 0
  for (let i = 0; i < count; i++) pages = await make()
  const after = memory()
  return {
    pages,
    touched: touchedOf(pages),
    resident: (after.rss - before.rss) / count,
    heap: (after.heapUsed - before.heapUsed) / count
  }
}

export async function held(make: Make, most: number): Promise<Held> {
  for (let count = 0; count < most; count++) {
    try {
      await make()
    } catch (error) {
      return { count, refused: error instanceof Error ? error.message : String(error), reserved: reserved() }
    }
  }
  return { count: most, refused: undefined, reserved: reserved() }
}

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

function memory(): NodeJS.MemoryUsage {
  collect()
  collect()
  return process.memoryUsage()
}

function reserved(): number {
  if (process.platform !== "linux") return Number.NaN
  const [, kibi] = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? []
  return Number(kibi) * 1024
}

/** Each memory is a mapping of its own size, between guards. Few others happen to have that size: they do not move the median. */
function touchedOf(pages: number): number {
  if (process.platform !== "linux") return Number.NaN
  const mappings = readFileSync("/proc/self/smaps", "utf8").matchAll(/^Size: +(\d+) kB$[\s\S]*?^Rss: +(\d+) kB$/gm)
  const resident = Array.from(mappings, ([, size, rss]) => [Number(size) * 1024, Number(rss) * 1024] as const)
    .filter(([size]) => size === pages)
    .map(([, rss]) => rss)
    .sort((a, b) => a - b)
  return resident[resident.length >> 1] ?? Number.NaN
}
