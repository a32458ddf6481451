// Worker side: each answer is posted, counted, and its caller woken.
import { type MessagePort, workerData } from "node:worker_threads"

const { memory, port }: { readonly memory: SharedArrayBuffer; readonly port: MessagePort } = workerData
const answered = new Int32Array(memory)

port.on("message", (bytes: Uint8Array) => {
  port.postMessage(bytes)
  Atomics.add(answered, 0, 1)
  Atomics.notify(answered, 0)
})
