// What benchmarks wrote, as a report shows it: by benchmark and by case, each subject with its role.
import { existsSync, readFileSync } from "node:fs"
import { Schema } from "effect"
import { fileBeside, isOrigin, Origin } from "../harness/Origin.ts"
import type { Role } from "../harness/Subject.ts"

const Figure = Schema.optionalKey(Schema.NullOr(Schema.Number))

const Row = Schema.Struct({
  bench: Schema.String,
  case: Schema.String,
  subject: Schema.String,
  opsPerSec: Figure,
  p50us: Figure,
  p99us: Figure,
  bytes: Figure,
  count: Figure,
  error: Schema.optionalKey(Schema.String)
})
export type Row = typeof Row.Type

export interface Results {
  readonly origin: Origin
  readonly rows: ReadonlyArray<Row>
}

const decodeRows = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Row)))
const decodeOrigin = Schema.decodeUnknownSync(Schema.fromJsonString(Origin))

/** Throws for rows without their origin: a figure says nothing without the machine that it was measured on. */
export function read(files: ReadonlyArray<string>): ReadonlyArray<Results> {
  const found = files.filter((file) => !isOrigin(file))
  if (found.length === 0)
    throw new Error("no results: npm run bench -- NAME --json bench/results/NAME.json writes them")
  return found.map((file) => {
    const beside = fileBeside(file)
    if (!existsSync(beside)) throw new Error(`${file} has no ${beside} beside it: measure again with --json`)
    return { origin: decodeOrigin(readFileSync(beside, "utf8")), rows: decodeRows(readFileSync(file, "utf8")) }
  })
}

/** In the order that they were measured in. */
export function byCase(rows: ReadonlyArray<Row>): ReadonlyMap<string, ReadonlyArray<Row>> {
  return Map.groupBy(rows, (row) => row.case)
}

export function roleOf({ roles }: Origin, { subject }: Row): Role {
  return roles[subject] ?? "ours"
}
