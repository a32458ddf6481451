// workerpool with all of its threads started at once. It gives a worker one call at a time and has no option for more.
import { fileURLToPath } from "node:url"
import type { Subject } from "../../harness/Subject.ts"
import { type Bytes, promiseSession, type SmallObject, type ThreadsCase } from "../Calls.ts"

export const workerpool: Subject<ThreadsCase> = {
  name: "workerpool",
  role: "peer",
  open: async (benchCase) => {
    const { default: library } = await import("workerpool")
    const pool = library.pool(fileURLToPath(new URL("../workers/workerpool.ts", import.meta.url)), {
      workerType: "thread",
      minWorkers: benchCase.threads,
      maxWorkers: benchCase.threads
    })
    const exec = async <A>(call: string, argument: SmallObject | Bytes, transfer: Array<object> = []) =>
      (await pool.exec(call, [argument], { transfer })) as A
    return promiseSession(
      benchCase,
      {
        noop: (value) => exec("noop", value),
        spin: (value) => exec("spin", value),
        echo: (bytes) => exec("echo", bytes),
        move: (bytes) => exec("move", bytes, [bytes.buffer])
      },
      async () => {
        await pool.terminate(true)
      }
    )
  }
}
