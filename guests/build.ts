// Builds the guests, or with --check says whether each committed .wasm belongs to the sources beside it.
//
//   node guests/build.ts            needs Rust; builds every guest and writes guests/<name>/<name>.wasm
//   node guests/build.ts --check    needs only Node; exits with 1 if a guest must be built again
//
// The build writes a SHA-256 of the sources into the .wasm, as the custom section `fiberhost.source`; the check computes it again.
// Set CARGO and RUSTC to choose a toolchain. One without the standard library of wasm32-unknown-unknown builds it from its sources.
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, globSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"

const root = import.meta.dirname
/** Members of one workspace, each with bindings that fp-bindgen generates. */
const plugins = ["report", "conformance"]
/** Speaks another ABI, and is a workspace of its own. */
const apart = ["extism"]
const guests = [...plugins, ...apart]
const target = "wasm32-unknown-unknown"
const sectionName = "fiberhost.source"

const cargo = process.env.CARGO ?? "cargo"
const rustc = process.env.RUSTC ?? "rustc"
const cargoHome = process.env.CARGO_HOME ?? join(homedir(), ".cargo")

if (process.argv.includes("--check")) check()
else build()

function check(): void {
  const stale = guests.filter((guest) => sourceOf(guest) !== builtFrom(guest))
  for (const guest of stale) {
    console.error(
      `guests/${guest}/${guest}.wasm was not built from its sources: run \`node guests/build.ts\` and commit the result`
    )
  }
  if (stale.length > 0) process.exitCode = 1
  else console.log(`built from their sources: ${guests.join(", ")}`)
}

function build(): void {
  // Cargo reads the manifests of all members of the workspace, so all bindings are written first.
  for (const plugin of plugins) writeBindings(plugin)
  for (const guest of guests) {
    compile(guest)
    const compiled = readFileSync(join(workspaceOf(guest), "target", target, "release", `${guest}.wasm`))
    refuseLocalPaths(guest, compiled)
    const wasm = Buffer.concat([compiled, customSection(sectionName, sourceOf(guest))])
    writeFileSync(wasmOf(guest), wasm)
    console.log(`guests/${guest}/${guest}.wasm: ${wasm.length} bytes`)
  }
}

function writeBindings(guest: string): void {
  run(["run", "--quiet", "--locked", "--bin", guest, "--", join(root, guest, "bindings")], {
    cwd: join(root, "protocol")
  })
}

function compile(guest: string): void {
  const args = ["build", "--release", "--locked", "--target", target, "--package", guest]
  const env: NodeJS.ProcessEnv = { CARGO_ENCODED_RUSTFLAGS: remapFlags().join("\x1f") }
  if (!hasTargetStd()) {
    args.push("-Zbuild-std=std,panic_abort")
    env.RUSTC_BOOTSTRAP = "1"
    const linker = findLinker()
    if (linker !== undefined) env.CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER = linker
  }
  run(args, { cwd: workspaceOf(guest), env })
}

function workspaceOf(guest: string): string {
  return apart.includes(guest) ? join(root, guest) : root
}

function run(args: ReadonlyArray<string>, options: { cwd: string; env?: NodeJS.ProcessEnv }): void {
  execFileSync(cargo, args, {
    stdio: "inherit",
    cwd: options.cwd,
    env: { ...process.env, RUSTC: rustc, ...options.env }
  })
}

function ask(...args: ReadonlyArray<string>): string {
  return execFileSync(rustc, args, { cwd: root, encoding: "utf8" }).trim()
}

function hasTargetStd(): boolean {
  const folder = ask("--print", "target-libdir", "--target", target)
  return existsSync(folder) && readdirSync(folder).some((name) => /^libstd-.*\.rlib$/.test(name))
}

// Distributions ship LLVM's linker under a versioned name, and their rustc has no rust-lld of its own.
function findLinker(): string | undefined {
  const candidates = (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => globSync("wasm-ld*", { cwd: folder }).map((name) => join(folder, name)))
  return candidates.sort().at(-1)
}

// Panic messages hold the paths of source files: they name the same files on every machine.
function remapFlags(): Array<string> {
  const librarySource = join(ask("--print", "sysroot"), "lib", "rustlib", "src", "rust")
  const from: Array<[string, string]> = [
    [root, "/guests"],
    [librarySource, "/rust"]
  ]
  if (existsSync(librarySource)) from.push([realpathSync(librarySource), "/rust"])
  const registries = join(cargoHome, "registry", "src")
  if (existsSync(registries)) for (const name of readdirSync(registries)) from.push([join(registries, name), "/crates"])
  return from.map(([path, name]) => `--remap-path-prefix=${path}=${name}`)
}

function refuseLocalPaths(guest: string, wasm: Buffer): void {
  const found = [root, homedir(), cargoHome].find((path) => wasm.includes(path))
  if (found !== undefined) throw new Error(`${guest}.wasm holds a path of this machine: ${found}`)
}

/** SHA-256 over the guest's sources: name and content of each file, in the order of their names. */
function sourceOf(guest: string): string {
  const ofPlugins = [
    "Cargo.toml",
    "Cargo.lock",
    "protocol/Cargo.toml",
    "protocol/Cargo.lock",
    "join/Cargo.toml",
    "join/src/*.rs"
  ]
  const shared = apart.includes(guest) ? [`${guest}/Cargo.lock`] : ofPlugins
  const files = globSync([...shared, `${guest}/Cargo.toml`, `${guest}/protocol.rs`, `${guest}/src/**/*.rs`], {
    cwd: root
  })
  const hash = createHash("sha256")
  for (const file of files.map((file) => file.replaceAll("\\", "/")).sort()) {
    hash.update(`${file}\0${readFileSync(join(root, file), "utf8").replaceAll("\r\n", "\n")}\0`)
  }
  return hash.digest("hex")
}

function builtFrom(guest: string): string | undefined {
  if (!existsSync(wasmOf(guest))) return undefined
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(readFileSync(wasmOf(guest))), sectionName)
  return section && Buffer.from(section).toString("utf8")
}

function wasmOf(guest: string): string {
  return join(root, guest, `${guest}.wasm`)
}

function customSection(name: string, content: string): Buffer {
  const body = Buffer.concat([sized(Buffer.from(name)), Buffer.from(content)])
  return Buffer.concat([Buffer.from([0]), sized(body)])
}

function sized(bytes: Buffer): Buffer {
  const length: Array<number> = []
  for (let rest = bytes.length; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.concat([Buffer.from([...length, rest]), bytes])
    length.push((rest & 0x7f) | 0x80)
  }
}
