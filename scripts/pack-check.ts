// Builds and packs the packages, lints the tarballs, and uses them as a stranger would: installed in an empty folder, imported and
// type-checked there, and run on threads by a program, as it is and bundled. Needs the registry for `effect` and its companions.
//
//   node scripts/pack-check.ts
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { build, folders, outputOf, publicModules } from "./build.ts"

const root = dirname(import.meta.dirname)
const plugin = join(root, "guests", "report", "report.wasm")
const consumer = mkdtempSync(join(tmpdir(), "fiberhost-consumer-"))
/** Where no package can be found. */
const bundled = mkdtempSync(join(tmpdir(), "fiberhost-bundled-"))

try {
  build()
  const tarballs = folders.map(pack)
  for (const tarball of tarballs) {
    node(binOf("publint", "publint"), ["run", tarball, "--strict"])
    node(binOf("@arethetypeswrong/cli", "attw"), [
      tarball,
      "--profile",
      "esm-only",
      "--format",
      "table-flipped",
      "--no-emoji",
      "--no-summary"
    ])
  }
  install(tarballs)
  importAll()
  typeCheck()
  runOnThreads()
  console.log(`packed, linted, installed, imported, type-checked, run on threads and bundled: ${folders.join(", ")}`)
} finally {
  for (const folder of [consumer, bundled]) rmSync(folder, { recursive: true, force: true })
}

function pack(folder: string): string {
  const output = outputOf(folder)
  const [packed] = JSON.parse(npm(["pack", "--json", "--pack-destination", dirname(output)], output))
  return join(dirname(output), packed.filename)
}

function install(tarballs: ReadonlyArray<string>): void {
  const versions = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies
  const peers = ["effect", "@effect/platform-node", "@types/node"]
  const dependencies = Object.fromEntries([
    ...peers.map((name) => [name, versions[name]]),
    ...folders.map((folder, index) => [packageName(folder), `file:${tarballs[index]}`])
  ])
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
  npm(["install", "--no-audit", "--no-fund", "--prefer-offline"], consumer)
}

function importAll(): void {
  const program = [...entries().map((entry) => `await import("${entry}")`), ...folders.map(refusesInternal)].join("\n")
  writeFileSync(join(consumer, "import.js"), program)
  node(join(consumer, "import.js"), [])
}

function typeCheck(): void {
  const lines = entries().map((entry, index) => `import * as M${index} from "${entry}"\nvoid M${index}`)
  writeFileSync(join(consumer, "main.ts"), `${lines.join("\n")}\n`)
  cpSync(join(root, "scripts", "consumer", "exports.ts"), join(consumer, "exports.ts"))
  const compilerOptions = {
    target: "esnext",
    lib: ["esnext", "webworker"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    skipLibCheck: false,
    declaration: true,
    noEmit: true
  }
  writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts", "exports.ts"] }))
  node(binOf("typescript", "tsc"), ["-p", consumer])
}

/** Runs the consumer's program, whose guests and host functions have threads: as it is, and bundled with its threads' programs. */
function runOnThreads(): void {
  const programs = ["main.js", "hashing.worker.js", "guest.runner.js", "watcher.js"]
  for (const file of [...programs, "contract.js"]) cpSync(join(root, "scripts", "consumer", file), join(consumer, file))
  checkHashes(join(consumer, "main.js"))
  const options = ["--bundle", "--format=esm", "--platform=node", `--outdir=${bundled}`, "--log-level=warning"]
  execFileSync(join(root, "node_modules", ".bin", "esbuild"), [...programs, ...options], {
    cwd: consumer,
    stdio: "inherit"
  })
  writeFileSync(join(bundled, "package.json"), JSON.stringify({ type: "module" }))
  checkHashes(join(bundled, "main.js"), "bundled")
  const { stderr } = spawnSync(process.execPath, [join(bundled, "main.js"), plugin], { encoding: "utf8" })
  if (!/ThreadError: .* name its program: NodeGuestThread/.test(stderr)) throw new Error(`not told: ${stderr}`)
}

function checkHashes(program: string, ...args: ReadonlyArray<string>): void {
  const printed = execFileSync(process.execPath, [program, plugin, ...args], {
    cwd: dirname(program),
    encoding: "utf8"
  })
  const hash = createHash("sha256").update(readFileSync(program)).digest("hex")
  if (printed !== `${hash}\n`.repeat(3)) throw new Error(`${program} printed ${printed} and not its hash, ${hash}`)
}

/** What a consumer may import: each package's index, and each of its public modules but the program of a guest thread. */
function entries(): ReadonlyArray<string> {
  return folders.flatMap((folder) => [
    packageName(folder),
    ...publicModules(folder)
      .filter((name) => name !== "NodeGuestRunner")
      .map((name) => `${packageName(folder)}/${name}`)
  ])
}

function refusesInternal(folder: string): string {
  const specifier = `${packageName(folder)}/internal/anything`
  return `await import("${specifier}").then(() => { throw new Error("exported: ${specifier}") }, (error) => {
  if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error
})`
}

function packageName(folder: string): string {
  return `@fiberhost/${folder}`
}

function npm(args: ReadonlyArray<string>, cwd: string): string {
  // npm tells its scripts the workspace it runs in; the consumer is none of it.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "npm_config_local_prefix"))
  const shell = process.platform === "win32"
  return execFileSync("npm", args, { cwd, env, shell, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
}

function node(program: string, args: ReadonlyArray<string>): void {
  execFileSync(process.execPath, [program, ...args], { cwd: consumer, stdio: ["ignore", "inherit", "inherit"] })
}

function binOf(name: string, command: string): string {
  const folder = join(root, "node_modules", name)
  return join(folder, JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).bin[command])
}
