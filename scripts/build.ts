// Writes the packages as they are published: dist/packages/<folder> with compiled modules, their sources and a package.json whose
// exports name each public module. In the repository the exports point at the sources, which Node runs as they are.
//
//   node scripts/build.ts
import { execFileSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

/** Folders of packages/, each after those that it depends on. */
export const folders = ["core", "wasm-host", "node"]

const root = dirname(import.meta.dirname)
const compiled = join(root, "dist", "compiled")

if (import.meta.main) build()

export function build(): void {
  rmSync(join(root, "dist"), { recursive: true, force: true })
  compile()
  for (const folder of folders) write(folder)
  rmSync(compiled, { recursive: true })
  console.log(`built: ${folders.map((folder) => relative(root, outputOf(folder))).join(", ")}`)
}

export function outputOf(folder: string): string {
  return join(root, "dist", "packages", folder)
}

/** Public modules of a package by their path below src, without extension and with "/" as separator. */
export function publicModules(folder: string): ReadonlyArray<string> {
  return modulesOf(folder).filter((name) => name !== "index" && !name.startsWith("internal/"))
}

function modulesOf(folder: string): ReadonlyArray<string> {
  const files = globSync("**/*.ts", { cwd: sourcesOf(folder) })
  return files.map((file) => file.replaceAll("\\", "/").replace(/\.ts$/, "")).sort()
}

function sourcesOf(folder: string): string {
  return join(root, "packages", folder, "src")
}

// All packages are one program: in the repository they resolve each other to sources.
function compile(): void {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" })
}

function write(folder: string): void {
  const output = outputOf(folder)
  mkdirSync(output, { recursive: true })
  cpSync(sourcesOf(folder), join(output, "src"), { recursive: true })
  cpSync(join(compiled, folder, "src"), join(output, "dist"), { recursive: true })
  for (const name of modulesOf(folder)) {
    refuseSourceUrl(join(output, "dist", `${name}.js`))
    for (const extension of [".js.map", ".d.ts.map"]) pointAtSource(output, name, extension)
  }
  cpSync(join(root, "LICENSE"), join(output, "LICENSE"))
  cpSync(join(root, "packages", folder, "README.md"), join(output, "README.md"))
  writeFileSync(join(output, "package.json"), `${JSON.stringify(manifest(folder), null, 2)}\n`)
}

// The compiler rewrites the extension of imports only. The program of a worker is found by `import.meta.resolve` of its public name.
function refuseSourceUrl(file: string): void {
  const found = readFileSync(file, "utf8").match(/new URL\(\s*["'`][^"'`]*\.ts["'`]/)
  if (found !== null)
    throw new Error(`${relative(root, file)} names a source that it is published without: ${found[0]}`)
}

// The compiler wrote the way from dist/compiled to packages/; the published package has its sources in src.
function pointAtSource(output: string, name: string, extension: string): void {
  const file = join(output, "dist", `${name}${extension}`)
  const map = JSON.parse(readFileSync(file, "utf8"))
  map.sources = [relative(dirname(file), join(output, "src", `${name}.ts`)).replaceAll("\\", "/")]
  writeFileSync(file, JSON.stringify(map))
}

function manifest(folder: string): Record<string, unknown> {
  const source = JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8"))
  const entry = (name: string) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` })
  return {
    ...source,
    exports: {
      ".": entry("index"),
      ...Object.fromEntries(publicModules(folder).map((name) => [`./${name}`, entry(name)])),
      "./package.json": "./package.json"
    },
    files: ["dist", "src"],
    publishConfig: { access: "public" }
  }
}
