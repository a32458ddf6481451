// comlink, which wraps one worker and is no pool by itself: calls go to the threads in turn.
import { Worker } from "node:worker_threads"
import type { Subject } from "../../harness/Subject.ts"
import { promiseSession, type ThreadsCase } from "../Calls.ts"
import type { Exposed } from "../workers/comlink.ts"

export const comlink: Subject<ThreadsCase> = {
  name: "comlink",
  role: "peer",
  open: async (benchCase) => {
    const { transfer, wrap } = await import("comlink")
    const { default: nodeEndpoint } = await import("comlink/dist/esm/node-adapter.mjs")
    const workers = Array.from(
      { length: benchCase.threads },
      () => new Worker(new URL("../workers/comlink.ts", import.meta.url))
    )
    // Each method is taken once: reading one from the remote object makes a new proxy every time.
    const remotes = workers.map((worker) => {
      const { noop, spin, echo, move } = wrap<Exposed>(nodeEndpoint(worker))
      return { noop, spin, echo, move }
    })
    let calls = 0
    const next = () => remotes[calls++ % remotes.length]!
    return promiseSession(
      benchCase,
      {
        noop: (value) => next().noop(value),
        spin: (value) => next().spin(value),
        echo: (bytes) => next().echo(bytes),
        move: (bytes) => next().move(transfer(bytes, [bytes.buffer]))
      },
      async () => {
        await Promise.all(workers.map((worker) => worker.terminate()))
      }
    )
  }
}
