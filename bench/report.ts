// Renders what `--json` wrote: a page with every figure, and a picture of some of them for the README. Neither holds a figure that was
// typed by hand, and neither loads anything.
import { globSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { overview } from "./report/Overview.ts"
import { page } from "./report/Page.ts"
import * as Results from "./report/Results.ts"

const root = new URL("../", import.meta.url)
const results = fileURLToPath(new URL("bench/results/*.json", root))

/** `files`: of rows, each with its origin beside it. None: those that are committed. */
export function report(files: ReadonlyArray<string>): void {
  const read = Results.read(files.length > 0 ? files : globSync(results).sort())
  write("docs/benchmarks.html", page(read))
  write("docs/benchmarks.svg", overview(read))
}

function write(file: string, text: string): void {
  writeFileSync(new URL(file, root), text)
  console.log(file)
}
