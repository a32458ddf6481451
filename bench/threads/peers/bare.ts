// What a program can do by hand, and the floor of every pool: `postMessage` there and back, with a map from ids to whoever waits.
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import type { Subject } from "../../harness/Subject.ts"
import { type Bytes, promiseSession, type SmallObject, type ThreadsCase } from "../Calls.ts"

export type BareRequest = { readonly id: number } & (
  | { readonly call: "noop" | "spin"; readonly argument: SmallObject }
  | { readonly call: "echo" | "move"; readonly argument: Bytes }
)

export const bare: Subject<ThreadsCase> = {
  name: "bare",
  role: "floor",
  open: async (benchCase) => {
    const waiting = new Map<number, (answer: unknown) => void>()
    const workers = await Promise.all(Array.from({ length: benchCase.threads }, () => start(waiting)))
    let asked = 0
    // In turn to each thread. The worker answers a call with that call's type.
    const ask = <A>(call: ThreadsCase["call"], argument: SmallObject | Bytes, moved: Array<ArrayBuffer> = []) =>
      new Promise<A>((resolve) => {
        const id = asked++
        waiting.set(id, resolve as (answer: unknown) => void)
        workers[id % workers.length]!.postMessage({ id, call, argument }, moved)
      })
    return promiseSession(
      benchCase,
      {
        noop: (value) => ask("noop", value),
        spin: (value) => ask("spin", value),
        echo: (bytes) => ask("echo", bytes),
        move: (bytes) => ask("move", bytes, [bytes.buffer])
      },
      async () => {
        await Promise.all(workers.map((worker) => worker.terminate()))
      }
    )
  }
}

async function start(waiting: Map<number, (answer: unknown) => void>): Promise<Worker> {
  const worker = new Worker(new URL("../workers/bare.ts", import.meta.url))
  worker.on("message", ({ id, answer }: { id: number; answer: unknown }) => {
    waiting.get(id)!(answer)
    waiting.delete(id)
  })
  await once(worker, "online")
  return worker
}
