// What the guest itself takes: the same bytes through the same guest, by hand.
import { readFile } from "node:fs/promises"
import { encode } from "@msgpack/msgpack"
import * as ClosedLoop from "../harness/ClosedLoop.ts"
import type { Session, Subject } from "../harness/Subject.ts"
import { type AsyncCall, type CallsCase, checks, conformance, isSync, type SyncCall, values } from "./Calls.ts"
import { type Exports, type FatPtr, type HostFunction, RawGuest } from "./RawGuest.ts"

export const floor: Subject<CallsCase> = { name: "floor", role: "floor", open }

const request = { ...values.request, body: null }
const response = { Ok: { ...values.response, tookNanos: values.tookNanos } }
const page = { items: values.items, total: values.total, next: null }

const encoded = {
  string: encode(values.string),
  struct: encode(values.struct),
  nested: encode(page),
  f64x1000: encode(values.f64x1000),
  bytes64KiB: encode(values.bytes64KiB),
  request: encode(request),
  response: encode(response),
  joined: encode(values.joined),
  ids: values.joined.map((id) => encode(id))
}

async function open(benchCase: CallsCase): Promise<Session> {
  const module = await WebAssembly.compile(await readFile(conformance))
  const close = async () => {}
  if (benchCase.call === "instantiate") {
    const imports = trivialImports(module)
    const instantiate = () => {
      const { exports } = new WebAssembly.Instance(module, imports)
      checks.u32(Number((exports as Exports)["__fp_gen_echo_u32"]!(values.u32)))
    }
    return { run: (slice) => ClosedLoop.ofCalls(slice, instantiate), close }
  }
  const guest = new RawGuest(module, hostFunctions, benchCase.pending)
  if (isSync(benchCase)) {
    const call = syncCalls(guest)[benchCase.call as SyncCall]
    return { run: (slice) => ClosedLoop.ofCalls(slice, call), close }
  }
  const call = asyncCalls(guest)[benchCase.call as AsyncCall]
  return { run: (slice) => ClosedLoop.ofCallbacks(slice, call), close }
}

const answering =
  (bytes: Uint8Array): HostFunction =>
  (guest, argument) => {
    guest.free(argument as FatPtr)
    return guest.answer(bytes)
  }

const hostFunctions: Readonly<Record<string, HostFunction>> = {
  __fp_gen_host_echo: answering(encoded.string),
  __fp_gen_host_fetch: answering(encoded.response),
  __fp_gen_host_delay: (guest, id) => guest.answer(encoded.ids[id as number]!)
}

const syncCalls = (guest: RawGuest): Readonly<Record<SyncCall, () => void>> => {
  const echoU32 = guest.exports["__fp_gen_echo_u32"] as unknown as (value: number) => number
  const echo = (name: string, bytes: Uint8Array) => () => guest.call(name, bytes, bytes)
  return {
    u32: () => checks.u32(echoU32(values.u32)),
    string: echo("__fp_gen_echo_string", encoded.string),
    struct: echo("__fp_gen_echo_point", encoded.struct),
    nested: echo("__fp_gen_echo_page_point", encoded.nested),
    f64x1000: echo("__fp_gen_echo_list_f64", encoded.f64x1000),
    bytes64KiB: echo("__fp_gen_echo_bytes", encoded.bytes64KiB)
  }
}

const asyncCalls = (guest: RawGuest): Readonly<Record<AsyncCall, (answered: () => void) => boolean>> => {
  const asking = (name: string, argument: Uint8Array | number, expected: Uint8Array) => (answered: () => void) =>
    guest.start(name, argument, expected, answered)
  return {
    async: asking("__fp_gen_echo_string_async", encoded.string, encoded.string),
    async1: asking("__fp_gen_via_host_echo", encoded.string, encoded.string),
    fetch: asking("__fp_gen_fetch", encoded.request, encoded.response),
    join10: asking("__fp_gen_join", 10, encoded.joined)
  }
}

function trivialImports(module: WebAssembly.Module): WebAssembly.Imports {
  const functions = WebAssembly.Module.imports(module).map(({ name }) => [name, () => {}])
  return { fp: Object.fromEntries(functions) }
}
