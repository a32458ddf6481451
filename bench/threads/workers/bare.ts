// Worker side: one reply for each message, under the id that the message came with.
import { parentPort } from "node:worker_threads"
import type { BareRequest } from "../peers/bare.ts"
import { echo, noop, spin } from "./tasks.ts"

parentPort!.on("message", ({ id, call, argument }: BareRequest) => {
  switch (call) {
    case "noop":
    case "spin":
      return parentPort!.postMessage({ id, answer: (call === "noop" ? noop : spin)(argument) })
    case "echo":
      return parentPort!.postMessage({ id, answer: echo(argument) })
    case "move":
      return parentPort!.postMessage({ id, answer: argument }, [argument.buffer])
  }
})
