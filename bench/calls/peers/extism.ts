// Extism in the application's thread and on a worker, over a guest of its own that answers the nearest calls: text and bytes as they
// are, a struct as MessagePack. It makes one call at a time.
import { readFile } from "node:fs/promises"
import type { CallContext, PluginOutput } from "@extism/extism"
import { decode, encode } from "@msgpack/msgpack"
import * as ClosedLoop from "../../harness/ClosedLoop.ts"
import type { Session, Subject } from "../../harness/Subject.ts"
import { type CallsCase, checks, values } from "../Calls.ts"

export const extism: ReadonlyArray<Subject<CallsCase>> = [
  { name: "extism", role: "peer", takes, open: (benchCase) => open(benchCase, false) },
  { name: "extism-worker", role: "peer", takes, open: (benchCase) => open(benchCase, true) }
]

const guest = new URL("../../../guests/extism/extism.wasm", import.meta.url)

interface Call {
  readonly name: string
  readonly input: () => string | Uint8Array
  readonly check: (answer: PluginOutput) => void
}

const calls: Partial<Record<CallsCase["call"], Call>> = {
  string: { name: "echo_string", input: () => values.string, check: (answer) => checks.string(answer.text()) },
  struct: {
    name: "echo_point",
    input: () => encode(values.struct),
    check: (answer) => {
      // Its guests write a struct as an array of the fields.
      const [x, y] = decode(answer.bytes()) as [number, number]
      checks.struct({ x, y })
    }
  },
  bytes64KiB: {
    name: "echo_bytes",
    input: () => values.bytes64KiB,
    check: (answer) => checks.bytes64KiB(answer.bytes())
  },
  async1: { name: "via_host_echo", input: () => values.string, check: (answer) => checks.async1(answer.text()) }
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
  const { name, input, check } = calls[call]!
  return {
    run: (slice) =>
      ClosedLoop.ofPromises(
        slice,
        () => plugin.call(name, input()),
        (answer) => check(answer!)
      ),
    close: () => plugin.close()
  }
}
