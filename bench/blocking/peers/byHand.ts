// What a program can do by hand, and the floor: post, wait for a count in shared memory, take the answer from the port.
import { once } from "node:events"
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads"
import type { Subject } from "../../harness/Subject.ts"
import { type BlockingCase, blockingSession } from "../Calls.ts"

export const byHand: Subject<BlockingCase> = {
  name: "by-hand",
  role: "floor",
  open: async (benchCase) => {
    const { port1, port2 } = new MessageChannel()
    const memory = new SharedArrayBuffer(4)
    const answered = new Int32Array(memory)
    const worker = new Worker(new URL("../workers/byHand.ts", import.meta.url), {
      workerData: { port: port2, memory },
      transferList: [port2]
    })
    await once(worker, "online")
    // One thread answers, in the order of the calls.
    const take = (): Uint8Array => {
      while (true) {
        const heard = Atomics.load(answered, 0)
        const received = receiveMessageOnPort(port1)
        if (received !== undefined) return received.message
        Atomics.wait(answered, 0, heard)
      }
    }
    return blockingSession(
      benchCase,
      (bytes) => {
        port1.postMessage(bytes)
        return take
      },
      async () => {
        port1.close()
        await worker.terminate()
      }
    )
  }
}
