// A thread of synchronous code: nothing here awaits. It blocks until the application has answered.
import { parentPort, workerData } from "node:worker_threads"
import { NodeBlocking } from "@fiberhost/node"
import { Result } from "effect"
import { Tasks } from "./tasks.ts"

using tasks = NodeBlocking.open(Tasks, workerData)
parentPort!.postMessage("ready")

using receiver = tasks.add.spawnBlockingOrThrow({ a: 40, b: 2, takes: 400 })
const sum: number = receiver.recvOrThrow()
parentPort!.postMessage(`sync thread: 40 + 2 = ${sum}`)

// A failure is a value. This one says that nobody waited long enough, and the task is interrupted.
const late = tasks.greet.run({ name: "nobody", takes: 60_000 }, { timeout: "10 millis" })
parentPort!.postMessage(`sync thread: ${Result.isFailure(late) ? late.failure.reason._tag : late.success}`)
