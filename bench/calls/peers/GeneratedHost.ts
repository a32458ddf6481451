// The TypeScript host that fp-bindgen generates for the conformance guest's protocol, as it comes: bench/calls/protocol writes it, once,
// into a folder that is not committed. A machine without Rust has no such host.
import { execFileSync } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"

interface Point {
  readonly x: number
  readonly y: number
}

interface Page {
  readonly items: ReadonlyArray<Point>
  readonly total: number
  readonly next: string | null
}

interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
}

interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly tookNanos: number
}

/** Those of its functions that are measured. */
export interface Exports {
  readonly echoU32: (value: number) => number
  readonly echoString: (value: string) => string
  readonly echoPoint: (value: Point) => Point
  readonly echoPagePoint: (value: Page) => Page
  readonly echoListF64: (value: ReadonlyArray<number>) => ReadonlyArray<number>
  readonly echoBytes: (value: Uint8Array) => Uint8Array
  readonly echoStringAsync: (value: string) => Promise<string>
  readonly viaHostEcho: (text: string) => Promise<string>
  readonly fetch: (request: Request) => Promise<{ readonly Ok: Response }>
  readonly join: (count: number) => Promise<ReadonlyArray<number>>
}

/** Those of its imports that a measured function calls. */
export interface Imports {
  readonly hostEcho: (text: string) => Promise<string>
  readonly hostFetch: (request: Request) => Promise<{ readonly Ok: Response }>
  readonly hostDelay: (id: number) => Promise<number>
}

/** Compiles the code and instantiates it. */
type CreateRuntime = (code: ArrayBuffer, imports: Imports) => Promise<Exports>

const crate = join(import.meta.dirname, "..", "protocol")
const protocol = join(import.meta.dirname, "../../../guests/conformance/protocol.rs")
const folder = join(crate, "target", "host")

export async function load(): Promise<CreateRuntime> {
  const host = join(folder, "index.ts")
  const sources = [protocol, ...["Cargo.toml", "Cargo.lock", "build.rs", "main.rs"].map((name) => join(crate, name))]
  const isCurrent = existsSync(host) && sources.every((source) => statSync(source).mtimeMs < statSync(host).mtimeMs)
  if (!isCurrent) generate()
  const { createRuntime }: { readonly createRuntime: CreateRuntime } = await import(host)
  return createRuntime
}

function generate(): void {
  const cargo = process.env.CARGO ?? "cargo"
  try {
    execFileSync(cargo, ["run", "--quiet", "--locked", "--", folder], {
      cwd: crate,
      stdio: ["ignore", "ignore", "pipe"]
    })
  } catch (error) {
    throw new Error(`no generated host: it takes Rust to write it, and ${cargo} failed`, { cause: error })
  }
}
