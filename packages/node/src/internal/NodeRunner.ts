/** Worker side: runs a thread's program on the port to its owner, and ends the thread with it. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import type * as Wire from "@fiberhost/core/Wire"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { portOf } from "../NodeThreads.ts"
import * as Doorbell from "./Doorbell.ts"

/** `start` is what the owner gave the thread, if one has started it. */
export const run = <E>(program: (port: Wire.Port, start: unknown) => Effect.Effect<void, E>): void => {
  const port = parentPort === null ? noPort : portTo(parentPort)
  Effect.runFork(program(port, Doorbell.dataOf(workerData))).addObserver((exit) => {
    // What the owner gets of an uncaught exception is its message, if it is an `Error` of JavaScript's own.
    if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
    parentPort?.close()
    // What the program left behind (a timer, a socket) does not hold up the thread's end for long.
    setTimeout(() => process.exit(), 100).unref()
  })
}

const portTo = (owner: MessagePort): Wire.Port => {
  const doorbell = Doorbell.of(workerData)
  const take = () => receiveMessageOnPort(owner)?.message
  return doorbell === undefined ? portOf(owner) : { ...portOf(owner), poll: () => doorbell.poll(take) }
}

/** In the main thread: what a program is refused for before it uses the port. */
const noPort: Wire.Port = { post: () => {}, listen: () => {} }
