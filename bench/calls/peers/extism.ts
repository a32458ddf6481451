// Extism in the application's thread and on a worker, over a guest of its own that answers the nearest calls: text and bytes as they
// are, a struct as MessagePack. It makes one call at a time.
import { readFile } from "node:fs/promises"
import type { CallContext, Plugin, PluginOutput } from "@extism/extism"
import { decode, encode } from "@msgpack/msgpack"
import * as ClosedLoop from "../../harness/ClosedLoop.ts"
import type { Session, Subject } from "../../harness/Subject.ts"
import { type CallsCase, checks, values } from "../Calls.ts"

export const extism: ReadonlyArray<Subject<CallsCase>> = [
  { name: "extism", role: "peer", takes, open: (benchCase) => open(benchCase, false) },
  { name: "extism-worker", role: "peer", takes, open: (benchCase) => open(benchCase, true) }
]

const guest = new URL("../../../guests/extism/extism.wasm", import.meta.url)

const calls: Partial<Record<CallsCase["call"], (plugin: Plugin) => Promise<void>>> = {
  string: async (plugin) => checks.string((await answerOf(plugin, "echo_string", values.string)).text()),
  struct: async (plugin) => {
    // Its guests write a struct as an array of the fields.
    const [x, y] = decode((await answerOf(plugin, "echo_point", encode(values.struct))).bytes()) as [number, number]
    checks.struct({ x, y })
  },
  bytes64KiB: async (plugin) => checks.bytes64KiB((await answerOf(plugin, "echo_bytes", values.bytes64KiB)).bytes()),
  async1: async (plugin) => checks.async1((await answerOf(plugin, "via_host_echo", values.string)).text())
}

function takes({ call, inFlight, pending }: CallsCase): boolean {
  return call in calls && inFlight === 1 && !pending
}

async function open({ call }: CallsCase, runInWorker: boolean): Promise<Session> {
  // Loaded here, for it warns of Node's WASI, which it does not use.
  const { createPlugin } = await import("@extism/extism")
  const host_echo = (context: CallContext, text: bigint) => context.store(context.read(text)!.text())
  const plugin = await createPlugin(
    { wasm: [{ data: await readFile(guest) }] },
    { useWasi: false, runInWorker, functions: { "extism:host/user": { host_echo } } }
  )
  const ask = calls[call]!
  return { run: (slice) => ClosedLoop.ofPromises(slice, () => ask(plugin)), close: () => plugin.close() }
}

async function answerOf(plugin: Plugin, name: string, input: string | Uint8Array): Promise<PluginOutput> {
  const output = await plugin.call(name, input)
  if (output === null) throw new Error(`${name} has no answer`)
  return output
}
