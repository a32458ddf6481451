/** Worker side: runs a thread's program on the port to its owner, and ends the thread with it. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import type * as Blocking from "@fiberhost/core/Blocking"
import * as Wire from "@fiberhost/core/Wire"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { portOf } from "../NodeThreads.ts"
import { channels } from "./Channels.ts"
import * as Doorbell from "./Doorbell.ts"

/** `start` is what the owner gave the thread, if one has started it; `channels` lead to other threads. */
export const run = <E>(
  program: (port: Wire.Port, start: unknown, channels: Blocking.Channels) => Effect.Effect<void, E>
): void => {
  const doorbell = Doorbell.of(workerData)
  const port = parentPort === null ? noPort : portTo(parentPort, doorbell)
  Effect.runFork(program(port, Doorbell.dataOf(workerData), channelsWith(doorbell))).addObserver((exit) => {
    // What the owner gets of an uncaught exception is its message, if it is an `Error` of JavaScript's own.
    if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
    parentPort?.close()
    // What the program left behind (a timer, a socket) does not hold up the thread's end for long.
    setTimeout(() => process.exit(), 100).unref()
  })
}

const portTo = (owner: MessagePort, doorbell: Doorbell.Doorbell | undefined): Wire.Port => {
  if (doorbell === undefined) return portOf(owner)
  const { rings } = doorbell
  const take = () => {
    if (!rings.in.isEmpty) return Wire.wake
    return rings.in.expectsMessage ? receiveMessageOnPort(owner)?.message : undefined
  }
  return {
    ...portOf(owner),
    rings,
    poll: () => doorbell.poll(take),
    watch: (words, index) => doorbell.watch(words, index)
  }
}

const channelsWith = (doorbell: Doorbell.Doorbell | undefined): Blocking.Channels => {
  if (doorbell === undefined) return channels
  return {
    ...channels,
    join: (name) => {
      const channel = channels.join(name)
      return { ...channel, poll: () => doorbell.poll(channel.receive) }
    }
  }
}

/** In the main thread: what a program is refused for before it uses the port. */
const noPort: Wire.Port = { post: () => {}, listen: () => {} }
