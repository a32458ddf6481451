// What grows with a program that has many plugins, and what does not: calls a second by instances, threads, bytes and calls in flight, the
// memory of an instance, how many a process can hold, and how soon one answers. Each case has a process of its own.
import { fiberhost } from "./calls/fiberhost.ts"
import { floor } from "./calls/floor.ts"
import { type Effort, medianRound, type Row, runCase } from "./harness/Bench.ts"
import * as Parts from "./harness/Parts.ts"
import type { Program } from "./harness/Program.ts"
import type { Case, Subject } from "./harness/Subject.ts"
import { aligned, table } from "./harness/Table.ts"
import { growing, growthCases } from "./scale/Growth.ts"
import * as Instances from "./scale/Instances.ts"

/** `bytes`: of memory, for one instance. `count`: instances. `error`: what the caller was told who wanted one more. */
interface ScaleRow extends Omit<Row, "opsPerSec"> {
  readonly opsPerSec: number | null
  readonly bytes?: number | null
  readonly count?: number
  readonly error?: string
}

/** Instances: the engine refuses before. */
const moreThanItGives = 20_000

type Measure = (effort: Effort) => Promise<ReadonlyArray<ScaleRow>>

const run: Program["run"] = async (quick, { effort, isWanted, arguments: argumentsOf }) => {
  const all = cases(quick, quick && isWanted === undefined ? 10 : 1)
  const wanted = [...all].filter(([name]) => isWanted === undefined || isWanted(name))
  if (wanted.length === 0) throw new Error(`no such case: there are ${[...all.keys()].join(", ")}`)
  if (wanted.length === 1) return await wanted[0]![1](effort)
  return wanted.flatMap(([name]) => Parts.measure(argumentsOf(name)) as ReadonlyArray<object>)
}

const notes = [
  "instances and threads: calls go to one guest after the other, 64 in flight; instances share one thread, and each of the threads has one.",
  "threads-string asks for an echo of 24 characters, threads-work for a loop in the guest. bytes go there and back. in-flight calls await",
  "their host. memory is that of one instance of many: resident is what the machine gave for it, of which pages-touched are the guest's;",
  "the floor is the instance that the engine makes, without a host. held counts the instances that one process made; each memory reserves",
  "address space, and the error is what the program is told when there is none left."
].join(" ")

export const program: Program = { name: "scale", roles: { floor: "floor" }, notes, run }

/** `step`: how often a size doubles from one case to the next. */
function cases(quick: boolean, step: number): ReadonlyMap<string, Measure> {
  // There are many cases, and what is looked at is where they bend.
  const warmUp = quick ? 300 : 1000
  return new Map([
    ...growthCases(step).map((growth) => [growth.name, rates(growth, growing, warmUp)] as const),
    [
      "first-answer",
      rates(
        firstAnswer,
        [...fiberhost, floor].filter(({ takes }) => takes?.(firstAnswer) ?? true),
        warmUp
      )
    ],
    ...(["fiberhost", "floor"] as const).map(
      (host) => [`memory-${host}`, () => memory(host, quick ? 128 : 1024)] as const
    ),
    ["held", () => held(quick ? 500 : moreThanItGives)]
  ])
}

/** From a compiled module to the first answer of its instance. */
const firstAnswer = { name: "first-answer", inFlight: 1, every: 1, call: "instantiate", pending: false } as const

/** `warmUp`: in milliseconds. */
function rates<C extends Case>(benchCase: C, subjects: ReadonlyArray<Subject<C>>, warmUp: number): Measure {
  return async (effort) => {
    const result = await runCase(benchCase, subjects, { ...effort, warmUp: Math.min(effort.warmUp, warmUp) })
    console.log(table(result))
    return result.measurements.map(({ subject, rounds }) => ({
      bench: "scale",
      case: benchCase.name,
      subject,
      ...medianRound(rounds)
    }))
  }
}

async function memory(host: keyof typeof Instances.hosts, count: number): Promise<ReadonlyArray<ScaleRow>> {
  const { heap, pages, resident, touched } = await Instances.footprint(await Instances.hosts[host](), count)
  const found = { pages, "pages-touched": touched, resident, "resident-beside-pages": resident - touched, heap }
  const rows = Object.entries(found).map(([name, bytes]) => ({
    ...unrated(`memory/${name}`, host),
    bytes: Number.isNaN(bytes) ? null : Math.round(bytes)
  }))
  const lines = rows.map(({ case: name, bytes }) => [name, bytes === null ? "-" : (bytes / 1024).toFixed(1)])
  console.log(["", `an instance of ${host}, of ${count}`, ...aligned([["", "KiB"], ...lines])].join("\n"))
  return rows
}

async function held(most: number): Promise<ReadonlyArray<ScaleRow>> {
  const { count, refused, reserved } = await Instances.held(await Instances.hosts.fiberhost(), most)
  console.log(
    `\ninstances held: ${count.toLocaleString("en")}, in ${(reserved / 2 ** 40).toFixed(1)} TiB of address space`
  )
  if (refused !== undefined) console.log(`then: ${refused}`)
  return [{ ...unrated("held", "fiberhost"), count, ...(refused === undefined ? {} : { error: refused }) }]
}

const unrated = (name: string, subject: string) => ({
  bench: "scale",
  case: name,
  subject,
  opsPerSec: null,
  p50us: null,
  p99us: null
})
