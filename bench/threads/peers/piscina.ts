// piscina as it comes, with one call at a time in a worker, and tuned: room for all calls, no records of times, and each of its ways to
// wake a worker.
import { fileURLToPath } from "node:url"
import type { Subject } from "../../harness/Subject.ts"
import { promiseSession, type ThreadsCase } from "../Calls.ts"

type Atomics = "sync" | "async" | "disabled"

export const piscina: ReadonlyArray<Subject<ThreadsCase>> = [
  subject("piscina"),
  subject("piscina-tuned-sync", "sync"),
  subject("piscina-tuned-async", "async"),
  subject("piscina-tuned-disabled", "disabled")
]

function subject(name: string, atomics?: Atomics): Subject<ThreadsCase> {
  return {
    name,
    role: "peer",
    open: async (benchCase) => {
      const { inFlight, threads } = benchCase
      const { Piscina } = await import("piscina")
      const pool = new Piscina({
        filename: fileURLToPath(new URL("../workers/piscina.ts", import.meta.url)),
        minThreads: threads,
        maxThreads: threads,
        ...(atomics && { atomics, concurrentTasksPerWorker: Math.ceil(inFlight / threads), recordTiming: false })
      })
      return promiseSession(
        benchCase,
        {
          noop: (value) => pool.run(value, { name: "noop" }),
          spin: (value) => pool.run(value, { name: "spin" }),
          echo: (bytes) => pool.run(bytes, { name: "echo" }),
          move: (bytes) => pool.run(Piscina.move(bytes), { name: "move" })
        },
        () => pool.destroy()
      )
    }
  }
}
