// Runs one benchmark: bench/NAME.ts, a module that exports a `bench`, or a `program` that measures in its own way.
//
//   npm run bench -- NAME [--quick] [--case GLOB] [--rounds N] [--json FILE]
import { globSync, writeFileSync } from "node:fs"
import { matchesGlob } from "node:path"
import { parseArgs } from "node:util"
import { type Bench, type CaseResult, type Effort, medianRound, runCase } from "./harness/Bench.ts"
import type { Program } from "./harness/Program.ts"
import type { Case } from "./harness/Subject.ts"
import { heading, machine, table } from "./harness/Table.ts"

const usage = "npm run bench -- NAME [--quick] [--case GLOB] [--rounds N] [--json FILE]"
const full: Effort = { rounds: 9, slice: 200, warmUp: 400 }
const quick: Effort = { rounds: 5, slice: 100, warmUp: 200 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    case: { type: "string" },
    rounds: { type: "string" },
    json: { type: "string" }
  }
})

const module = await load(positionals[0])
if (module.program !== undefined) {
  const { name, run } = module.program
  console.log(machine(name))
  const rows = await run(values.quick)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
  process.exit()
}
const { bench } = module
const effort = {
  ...(values.quick ? quick : full),
  ...(values.rounds === undefined ? {} : { rounds: rounds(values.rounds) })
}
const cases = bench.cases.filter(isWanted)
if (cases.length === 0) throw new Error(`no case of ${bench.name} is named ${values.case}`)
const subjects = bench.subjects.filter(
  ({ name, role }) => !values.quick || role === "ours" || bench.quick.subjects.includes(name)
)

console.log(heading(bench.name, effort))
const results: Array<CaseResult> = []
for (const benchCase of cases) {
  const result = await runCase(benchCase, subjects, effort)
  results.push(result)
  console.log(table(result))
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows(results), null, 2)}\n`)
}
// A peer that did not close would keep the process alive.
process.exit()

async function load(name: string | undefined): Promise<{ readonly bench: Bench<Case>; readonly program?: Program }> {
  const names = globSync("*.ts", { cwd: import.meta.dirname })
    .map((file) => file.slice(0, -".ts".length))
    .filter((file) => file !== "main")
  if (name === undefined || !names.includes(name)) {
    console.error(`${usage}\nNAME: ${names.sort().join(", ")}`)
    process.exit(1)
  }
  return import(`./${name}.ts`)
}

// `--case` picks from all cases, also in a quick run.
function isWanted({ name }: Case): boolean {
  if (values.case !== undefined) return matchesGlob(name, values.case)
  return !values.quick || bench.quick.cases.includes(name)
}

function rounds(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`--rounds takes a number from 1 on, not ${text}`)
  return count
}

function rows(results: ReadonlyArray<CaseResult>) {
  return results.flatMap((result) =>
    result.measurements.map(({ subject, rounds }) => {
      const { opsPerSec, p50us, p99us } = medianRound(rounds)
      return { bench: bench.name, case: result.name, subject, opsPerSec, p50us, p99us }
    })
  )
}
