// Tasks on one executor, asked for from three places: synchronous code of another thread, which blocks, and two fibers. Each
// gets a result of its own type, in the order in which they are done.
import { Worker } from "node:worker_threads"
import { NodeRuntime } from "@effect/platform-node"
import { NodeBlocking } from "@fiberhost/node"
import { Console, Effect, Queue } from "effect"
import { Tasks } from "./tasks.ts"

const handlers = {
  add: ({ a, b, takes }: { readonly a: number; readonly b: number; readonly takes: number }) =>
    Effect.delay(Effect.succeed(a + b), takes),
  greet: ({ name, takes }: { readonly name: string; readonly takes: number }) =>
    Effect.delay(Effect.succeed(`hello ${name}`), takes),
  isEven: ({ n, takes }: { readonly n: number; readonly takes: number }) =>
    Effect.delay(Effect.succeed(n % 2 === 0), takes)
}

/** What the thread says, while the scope lasts. */
const syncThread = Effect.gen(function* () {
  const workerData = yield* NodeBlocking.handle(Tasks)
  const said = yield* Queue.unbounded<string>()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const worker = new Worker(new URL("./syncThread.ts", import.meta.url), { workerData })
      return worker.on("message", (text: string) => Queue.offerUnsafe(said, text))
    }),
    (worker) => Effect.promise(() => worker.terminate())
  )
  return said
})

Effect.gen(function* () {
  const tasks = yield* Tasks
  const said = yield* syncThread
  yield* Console.log(`sync thread: ${yield* Queue.take(said)}`)
  yield* Effect.all(
    [
      Effect.flatMap(tasks.isEven({ n: 7, takes: 800 }), (even: boolean) => Console.log(`fiber: 7 is even: ${even}`)),
      Effect.flatMap(tasks.greet({ name: "ada", takes: 100 }), (text: string) => Console.log(`fiber: ${text}`)),
      Effect.repeat(Effect.flatMap(Queue.take(said), Console.log), { times: 1 })
    ],
    { concurrency: "unbounded" }
  )
}).pipe(Effect.scoped, Effect.provide(Tasks.layer(handlers)), NodeRuntime.runMain)
