// poolifier's fixed pool without its queue and its events: it hands every call to a worker at once.
import { fileURLToPath } from "node:url"
import type { Subject } from "../../harness/Subject.ts"
import { type Bytes, promiseSession, type SmallObject, type ThreadsCase } from "../Calls.ts"

export const poolifier: Subject<ThreadsCase> = {
  name: "poolifier",
  role: "peer",
  open: async (benchCase) => {
    const { FixedThreadPool } = await import("poolifier")
    const worker = fileURLToPath(new URL("../workers/poolifier.ts", import.meta.url))
    const pool = new FixedThreadPool<SmallObject | Bytes, unknown>(benchCase.threads, worker, {
      enableEvents: false,
      enableTasksQueue: false
    })
    // The worker answers a call with that call's type.
    const execute = <A>(call: string, argument: SmallObject | Bytes, moved?: Array<ArrayBuffer>) =>
      pool.execute(argument, call, undefined, moved) as Promise<A>
    return promiseSession(
      benchCase,
      {
        noop: (value) => execute("noop", value),
        spin: (value) => execute("spin", value),
        echo: (bytes) => execute("echo", bytes),
        move: (bytes) => execute("move", bytes, [bytes.buffer])
      },
      () => pool.destroy()
    )
  }
}
