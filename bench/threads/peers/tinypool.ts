// tinypool, with room in its workers for all calls.
import type { Subject } from "../../harness/Subject.ts"
import { promiseSession, type ThreadsCase } from "../Calls.ts"

export const tinypool: Subject<ThreadsCase> = {
  name: "tinypool",
  role: "peer",
  open: async (benchCase) => {
    const { inFlight, threads } = benchCase
    const { Tinypool } = await import("tinypool")
    const pool = new Tinypool({
      filename: new URL("../workers/tinypool.ts", import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: Math.ceil(inFlight / threads)
    })
    return promiseSession(
      benchCase,
      {
        noop: (value) => pool.run(value, { name: "noop" }),
        spin: (value) => pool.run(value, { name: "spin" }),
        echo: (bytes) => pool.run(bytes, { name: "echo" }),
        move: (bytes) => pool.run(Tinypool.move(bytes), { name: "move" })
      },
      () => pool.destroy()
    )
  }
}
