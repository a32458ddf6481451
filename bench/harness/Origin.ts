// Where, when and of what results were measured: what a run prints above its tables, and what `--json` writes beside them, so that no
// figure is without it.
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, totalmem } from "node:os"
import { Schema } from "effect"

export const Origin = Schema.Struct({
  bench: Schema.String,
  /** How long each subject was measured; empty where the program decides. */
  effort: Schema.String,
  machine: Schema.String,
  platform: Schema.String,
  /** As ISO 8601. */
  date: Schema.String,
  commit: Schema.String,
  /** By the name of what is measured. */
  versions: Schema.Record(Schema.String, Schema.String),
  /** By subject; one that is not named is ours. */
  roles: Schema.Record(Schema.String, Schema.Literals(["ours", "peer", "floor"])),
  /** What a reader must know to compare them. */
  notes: Schema.String
})
export type Origin = typeof Origin.Type

export function here({
  bench,
  effort = "",
  versions = {},
  roles = {},
  notes = ""
}: Pick<Origin, "bench"> & Partial<Pick<Origin, "effort" | "versions" | "roles" | "notes">>): Origin {
  const [load = 0] = loadavg()
  return {
    bench,
    effort,
    machine: `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${load.toFixed(1)}`,
    platform: `Node ${process.version}, ${process.platform} ${process.arch}`,
    date: new Date().toISOString(),
    commit: commit(),
    versions: { ...versionsOf("effect"), ...versions },
    roles,
    notes
  }
}

/** Of packages, as they are locked for this repository. */
export function versionsOf(...packages: ReadonlyArray<string>): Readonly<Record<string, string>> {
  const { devDependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return Object.fromEntries(packages.map((name) => [name, devDependencies[name]]))
}

/** The file beside the rows of `file`. */
export function fileBeside(file: string): string {
  return `${file.replace(/\.json$/, "")}${extension}`
}

export function isOrigin(file: string): boolean {
  return file.endsWith(extension)
}

const extension = ".origin.json"

/** What a benchmark or the report itself has written since does not make it another program. */
const written = [":(top,exclude)bench/results", ":(top,exclude)docs/benchmarks.*"]

function commit(): string {
  const git = (...args: ReadonlyArray<string>) =>
    execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    }).trim()
  try {
    const changes = git("status", "--porcelain", "--", ":(top)", ...written)
    return git("rev-parse", "--short", "HEAD") + (changes === "" ? "" : " and changes")
  } catch {
    return "unknown"
  }
}
