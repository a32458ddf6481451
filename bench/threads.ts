// Calls of functions that run on other threads: how many a second, and how long each takes, by our pool and by the pools there are.
import type { Bench } from "./harness/Bench.ts"
import { versionsOf } from "./harness/Origin.ts"
import type { ThreadsCase } from "./threads/Calls.ts"
import { fiberhost } from "./threads/fiberhost.ts"
import { bare } from "./threads/peers/bare.ts"
import { comlink } from "./threads/peers/comlink.ts"
import { effectRpc } from "./threads/peers/effectRpc.ts"
import { piscina } from "./threads/peers/piscina.ts"
import { poolifier } from "./threads/peers/poolifier.ts"
import { tinypool } from "./threads/peers/tinypool.ts"
import { workerpool } from "./threads/peers/workerpool.ts"

const kibi = 1024
const mebi = 1024 * kibi

const tasks: ReadonlyArray<
  Pick<ThreadsCase, "name" | "call" | "bytes"> & { readonly inFlight: ReadonlyArray<number> }
> = [
  { name: "noop", call: "noop", bytes: 0, inFlight: [1, 64, 1000] },
  { name: "1KiB", call: "echo", bytes: kibi, inFlight: [1, 64, 1000] },
  { name: "64KiB", call: "echo", bytes: 64 * kibi, inFlight: [1, 64] },
  { name: "1MiB", call: "echo", bytes: mebi, inFlight: [1, 64] },
  { name: "64KiB-moved", call: "move", bytes: 64 * kibi, inFlight: [1, 64] },
  { name: "1MiB-moved", call: "move", bytes: mebi, inFlight: [1, 64] },
  { name: "cpu1ms", call: "spin", bytes: 0, inFlight: [1, 64] }
]

export const bench: Bench<ThreadsCase> = {
  name: "threads",
  cases: [1, 2].flatMap((threads) =>
    tasks.flatMap(({ name, call, bytes, inFlight }) =>
      inFlight.map((calls) => ({
        name: `${name}/${calls}${threads === 1 ? "" : `/${threads}threads`}`,
        call,
        bytes,
        threads,
        inFlight: calls
      }))
    )
  ),
  subjects: [...fiberhost, bare, ...piscina, tinypool, workerpool, poolifier, comlink, ...effectRpc],
  versions: versionsOf("piscina", "tinypool", "workerpool", "poolifier", "comlink"),
  quick: {
    cases: ["noop/1", "noop/64", "noop/1000", "1KiB/64"],
    subjects: ["bare", "piscina-tuned-sync", "poolifier", "comlink", "effect-rpc", "effect-rpc-tuned"]
  }
}
