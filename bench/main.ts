// Runs one benchmark: bench/NAME.ts, a module that exports a `bench`, or a `program` that measures in its own way.
//
//   npm run bench -- NAME [--quick] [--case GLOB] [--rounds N] [--json FILE]
//   npm run bench -- report [--from FILES...]
//
// With --json, FILE.origin.json beside it says where it was measured. `report` renders such files, bench/results/*.json unless told.
import { globSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, matchesGlob } from "node:path"
import { parseArgs } from "node:util"
import { type Bench, type CaseResult, type Effort, medianRound, type Row, runCase, runMixed } from "./harness/Bench.ts"
import * as Origin from "./harness/Origin.ts"
import * as Parts from "./harness/Parts.ts"
import type { Asked, Program } from "./harness/Program.ts"
import type { Case } from "./harness/Subject.ts"
import { heading, table } from "./harness/Table.ts"

const usage = `npm run bench -- NAME [--quick] [--case GLOB] [--rounds N] [--json FILE]
npm run bench -- report [--from FILES...]`
const full: Effort = { rounds: 9, slice: 200, warmUp: 2000 }
const quick: Effort = { rounds: 5, slice: 120, warmUp: 650 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    case: { type: "string" },
    rounds: { type: "string" },
    json: { type: "string" },
    from: { type: "string", multiple: true, default: [] },
    // One of the processes that a run starts: it prints its tables only.
    part: { type: "boolean", default: false }
  }
})

const effort = {
  ...(values.quick ? quick : full),
  ...(values.rounds === undefined ? {} : { rounds: rounds(values.rounds) })
}
if (positionals[0] === "report") {
  const { report } = await import("./report.ts")
  // A shell's glob leaves all but the first file to the arguments.
  report([...values.from, ...positionals.slice(1)])
  process.exit()
}
const module = await load(positionals[0])
if (module.program !== undefined) {
  const { name, notes = "", roles = {}, run } = module.program
  const { case: glob } = values
  begin({ bench: name, roles, notes })
  const asked: Asked = {
    effort,
    isWanted: glob === undefined ? undefined : (name) => matchesGlob(name, glob),
    arguments: (benchCase) => [name, "--case", benchCase, ...effortArguments()]
  }
  write(await run(values.quick, asked))
  process.exit()
}
const { bench } = module
const alone = bench.cases.filter((benchCase) => isWanted(benchCase.name, benchCase))
const mixed =
  bench.mixed === undefined ? [] : bench.cases.filter((benchCase) => isWanted(nameMixed(benchCase), benchCase))
if (alone.length + mixed.length === 0) throw new Error(`no case of ${bench.name} is named ${values.case}`)
const subjects = bench.subjects.filter(
  ({ name, role }) => !values.quick || role === "ours" || bench.quick.subjects.includes(name)
)

const globs = [...alone.map(({ name }) => name), ...(mixed.length === 0 ? [] : [anyOf(mixed.map(nameMixed))])]

const { notes = "", versions = {} } = bench
begin({
  bench: bench.name,
  effort: `${effort.rounds} rounds of ${effort.slice} ms a subject`,
  roles: Object.fromEntries(subjects.map(({ name, role }) => [name, role])),
  versions,
  notes
})
const measured: Array<Row> = []
if (bench.mixed !== undefined && globs.length > 1) {
  for (const glob of globs) {
    measured.push(...Parts.measure([bench.name, "--case", glob, ...effortArguments()]))
    write(measured)
  }
} else if (mixed.length > 0) {
  const inBackground = { ...effort, slice: effort.slice / 10, warmUp: effort.warmUp / 10 }
  // In a quick run what has met the others is compared with itself alone.
  const compared = bench.subjects.filter(
    ({ name, role }) => bench.mixed?.includes(name) && (!values.quick || role === "ours")
  )
  const all = await runMixed(bench.cases, compared, (benchCase) =>
    mixed.includes(benchCase) ? { ...effort, warmUp: effort.warmUp / 2 } : inBackground
  )
  for (const benchCase of mixed) report({ ...all[bench.cases.indexOf(benchCase)]!, name: nameMixed(benchCase) })
} else {
  for (const benchCase of alone) report(await runCase(benchCase, subjects, effort))
}
if (!values.part && bench.summary !== undefined) console.log(bench.summary(measured))
if (!values.part && notes !== "") console.log(`\n${notes}`)
// A peer that did not close would keep the process alive.
process.exit()

async function load(name: string | undefined): Promise<{ readonly bench: Bench<Case>; readonly program?: Program }> {
  const names = globSync("*.ts", { cwd: import.meta.dirname })
    .map((file) => file.slice(0, -".ts".length))
    .filter((file) => file !== "main" && file !== "report")
  if (name === undefined || !names.includes(name)) {
    console.error(`${usage}\nNAME: ${names.sort().join(", ")}`)
    process.exit(1)
  }
  return import(`./${name}.ts`)
}

// `--case` picks from all cases, also in a quick run.
function isWanted(name: string, benchCase: Case): boolean {
  if (values.case !== undefined) return matchesGlob(name, values.case)
  return !values.quick || bench.quick.cases.includes(benchCase.name)
}

function anyOf(names: ReadonlyArray<string>): string {
  return names.length === 1 ? names[0]! : `{${names.join(",")}}`
}

function nameMixed({ name }: Case): string {
  return `${name}-mixed`
}

function rounds(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`--rounds takes a number from 1 on, not ${text}`)
  return count
}

function effortArguments(): ReadonlyArray<string> {
  return [...(values.quick ? ["--quick"] : []), ...(values.rounds === undefined ? [] : ["--rounds", values.rounds])]
}

function report(result: CaseResult): void {
  measured.push(...rows(result))
  console.log(table(result))
  write(measured)
}

function rows({ name, measurements }: CaseResult): ReadonlyArray<Row> {
  return measurements.map(({ subject, rounds }) => ({
    bench: bench.name,
    case: name,
    subject,
    ...medianRound(rounds)
  }))
}

/** A part of a run leaves both to the run. */
function begin(about: Parameters<typeof Origin.here>[0]): void {
  if (values.part) return
  const origin = Origin.here(about)
  console.log(heading(origin))
  if (values.json !== undefined) writeJson(Origin.fileBeside(values.json), origin)
}

function write(rows: ReadonlyArray<object>): void {
  if (values.json !== undefined) writeJson(values.json, rows)
}

function writeJson(file: string, content: object): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)
}
