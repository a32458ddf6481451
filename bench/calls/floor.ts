// What the guest itself takes: the same bytes through the same guest, by hand. A case encodes its own values only, for the codec is also
// the one of the generated host, which is not to meet the shapes of other cases here.
import { readFile } from "node:fs/promises"
import { encode } from "@msgpack/msgpack"
import * as ClosedLoop from "../harness/ClosedLoop.ts"
import type { Session, Subject } from "../harness/Subject.ts"
import { type AsyncCall, type CallsCase, checks, conformance, type SyncCall, values } from "./Calls.ts"
import { type Exports, type FatPtr, type HostFunction, RawGuest } from "./RawGuest.ts"

export const floor: Subject<CallsCase> = { name: "floor", role: "floor", open }

async function open({ call, pending }: CallsCase): Promise<Session> {
  const module = await WebAssembly.compile(await readFile(conformance))
  const close = async () => {}
  if (call === "instantiate") return { run: instantiating(module), close }
  const guest = new RawGuest(module, hostFunctions[call]?.() ?? {}, pending)
  return { run: calls[call](guest), close }
}

function instantiating(module: WebAssembly.Module): Session["run"] {
  const fp = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => {}]))
  return (slice) =>
    ClosedLoop.ofCalls(slice, () => {
      const { exports } = new WebAssembly.Instance(module, { fp })
      checks.u32(Number((exports as Exports)["__fp_gen_echo_u32"]!(values.u32)))
    })
}

const page = { items: values.items, total: values.total, next: null }
const request = { ...values.request, body: null }
const response = { Ok: { ...values.response, tookNanos: values.tookNanos } }

const echo =
  (name: string, value: unknown) =>
  (guest: RawGuest): Session["run"] => {
    const bytes = encode(value)
    return (slice) => ClosedLoop.ofCalls(slice, () => guest.call(name, bytes, bytes))
  }

const ask =
  (name: string, value: unknown, answer: unknown) =>
  (guest: RawGuest): Session["run"] => {
    const argument = encode(value)
    const expected = encode(answer)
    return (slice) => ClosedLoop.ofCallbacks(slice, (answered) => guest.start(name, argument, expected, answered))
  }

const calls: Readonly<Record<SyncCall | AsyncCall, (guest: RawGuest) => Session["run"]>> = {
  u32: ({ exports }) => {
    const echoU32 = exports["__fp_gen_echo_u32"] as unknown as (value: number) => number
    return (slice) => ClosedLoop.ofCalls(slice, () => checks.u32(echoU32(values.u32)))
  },
  string: echo("__fp_gen_echo_string", values.string),
  struct: echo("__fp_gen_echo_point", values.struct),
  nested: echo("__fp_gen_echo_page_point", page),
  f64x1000: echo("__fp_gen_echo_list_f64", values.f64x1000),
  bytes64KiB: echo("__fp_gen_echo_bytes", values.bytes64KiB),
  async: ask("__fp_gen_echo_string_async", values.string, values.string),
  async1: ask("__fp_gen_via_host_echo", values.string, values.string),
  fetch: ask("__fp_gen_fetch", request, response),
  join10: (guest) => {
    const expected = encode(values.joined)
    return (slice) => ClosedLoop.ofCallbacks(slice, (answered) => guest.start("__fp_gen_join", 10, expected, answered))
  }
}

/** Guest to host: takes one value and answers another. */
const answer = (value: unknown): HostFunction => {
  const bytes = encode(value)
  return (guest, argument) => {
    guest.free(argument as FatPtr)
    return guest.answer(bytes)
  }
}

const hostFunctions: Partial<Record<CallsCase["call"], () => Readonly<Record<string, HostFunction>>>> = {
  async1: () => ({ __fp_gen_host_echo: answer(values.string) }),
  fetch: () => ({ __fp_gen_host_fetch: answer(response) }),
  join10: () => {
    const ids = values.joined.map((id) => encode(id))
    return { __fp_gen_host_delay: (guest, id) => guest.answer(ids[id as number]!) }
  }
}
