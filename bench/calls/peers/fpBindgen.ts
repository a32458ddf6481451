// The host that fp-bindgen generates, over the same guest.
import { readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import * as ClosedLoop from "../../harness/ClosedLoop.ts"
import type { Slice } from "../../harness/Slice.ts"
import type { Session, Subject } from "../../harness/Subject.ts"
import { type AsyncCall, type CallsCase, checks, conformance, isSync, type SyncCall, values } from "../Calls.ts"
import * as GeneratedHost from "./GeneratedHost.ts"

export const fpBindgen: Subject<CallsCase> = { name: "fp-bindgen", role: "peer", open }

/** Of the crate that wrote the host. */
export function crateVersion(): string {
  const manifest = readFileSync(new URL("../protocol/Cargo.toml", import.meta.url), "utf8")
  return /^fp-bindgen = .*version = "=?([^"]+)"/m.exec(manifest)?.[1] ?? "unknown"
}

const page = { items: values.items, total: values.total, next: null }
const request = { ...values.request, body: null }
const response = { Ok: { ...values.response, tookNanos: values.tookNanos } }

const done: GeneratedHost.Imports = {
  hostEcho: async (text) => text,
  hostFetch: async () => response,
  hostDelay: async (id) => id
}

const pending: GeneratedHost.Imports = {
  hostEcho: async (text) => {
    await undefined
    return text
  },
  hostFetch: async () => {
    await undefined
    return response
  },
  hostDelay: async (id) => {
    await undefined
    return id
  }
}

async function open(benchCase: CallsCase): Promise<Session> {
  const createRuntime = await GeneratedHost.load()
  const code = await readFile(conformance)
  const bytes = code.buffer.slice(code.byteOffset, code.byteOffset + code.byteLength)
  const imports = benchCase.pending ? pending : done
  const close = async () => {}
  if (benchCase.call === "instantiate") {
    const instantiate = async () => checks.u32((await createRuntime(bytes, imports)).echoU32(values.u32))
    return { run: (slice) => ClosedLoop.ofPromises(slice, instantiate), close }
  }

  const plugin = await createRuntime(bytes, imports)
  if (isSync(benchCase)) {
    const call = syncCalls(plugin)[benchCase.call as SyncCall]
    return { run: (slice) => ClosedLoop.ofCalls(slice, call), close }
  }
  return { run: asyncCalls(plugin)[benchCase.call as AsyncCall], close }
}

const syncCalls = (plugin: GeneratedHost.Exports): Readonly<Record<SyncCall, () => void>> => ({
  u32: () => checks.u32(plugin.echoU32(values.u32)),
  string: () => checks.string(plugin.echoString(values.string)),
  struct: () => checks.struct(plugin.echoPoint(values.struct)),
  nested: () => checks.nested(plugin.echoPagePoint(page)),
  f64x1000: () => checks.f64x1000(plugin.echoListF64(values.f64x1000)),
  bytes64KiB: () => checks.bytes64KiB(plugin.echoBytes(values.bytes64KiB))
})

const asyncCalls = (plugin: GeneratedHost.Exports): Readonly<Record<AsyncCall, Session["run"]>> => ({
  async: ofPromises(() => plugin.echoStringAsync(values.string), checks.async),
  async1: ofPromises(() => plugin.viaHostEcho(values.string), checks.async1),
  fetch: ofPromises(
    () => plugin.fetch(request),
    ({ Ok }) => checks.fetch(Ok)
  ),
  join10: ofPromises(() => plugin.join(10), checks.join10)
})

const ofPromises =
  <A>(call: () => Promise<A>, check: (answer: A) => void) =>
  (slice: Slice): Promise<void> =>
    ClosedLoop.ofPromises(slice, call, check)
