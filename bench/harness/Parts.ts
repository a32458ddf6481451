// Measures a part of a benchmark in a process of its own: what V8 made of one call's shapes, and what it gave up for another's, ends
// with the process.
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Row } from "./Bench.ts"

/** Runs this program with these arguments, and waits for it. It prints its own tables. */
export function measure(args: ReadonlyArray<string>): ReadonlyArray<Row> {
  const folder = mkdtempSync(join(tmpdir(), "bench-"))
  try {
    const file = join(folder, "rows.json")
    const command = [...process.execArgv, process.argv[1]!, ...args, "--part", "--json", file]
    execFileSync(process.execPath, command, { stdio: "inherit" })
    return JSON.parse(readFileSync(file, "utf8"))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
