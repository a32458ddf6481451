/** Worker side: runs a thread's program on the port to its owner, and ends the thread with it. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import type * as Blocking from "@fiberhost/core/Blocking"
import * as Wire from "@fiberhost/core/Wire"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { portOf } from "../NodeThreads.ts"
import { channels } from "./Channels.ts"
import { Poll } from "./Poll.ts"
import * as ThreadStart from "./ThreadStart.ts"

/** `start` is what the owner gave the thread, if one has started it; `channels` lead to other threads. */
export const run = <E>(
  program: (port: Wire.Port, start: unknown, channels: Blocking.Channels) => Effect.Effect<void, E>
): void => {
  const start = ThreadStart.read(workerData)
  const [port, polled] = parentPort === null ? [noPort, channels] : endsOf(parentPort, start)
  Effect.runFork(program(port, start?.data, polled)).addObserver((exit) => {
    // What the owner gets of an uncaught exception is its message, if it is an `Error` of JavaScript's own.
    if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
    parentPort?.close()
    // What the program left behind (a timer, a socket) does not hold up the thread's end for long.
    setTimeout(() => process.exit(), 100).unref()
  })
}

/** The port to the owner, and the channels to others: while the thread polls for one it looks for the others too. */
const endsOf = (
  owner: MessagePort,
  start: ThreadStart.ThreadStart | undefined
): readonly [Wire.Port, Blocking.Channels] => {
  if (start === undefined) return [portOf(owner), channels]
  const ringBuffers = ThreadStart.ringBuffersOf(start)
  const poll = new Poll(ringBuffers, start.busyPoll)
  const take = () => {
    if (!ringBuffers.in.isEmpty) return Wire.wake
    return ringBuffers.in.expectsMessage ? receiveMessageOnPort(owner)?.message : undefined
  }
  const port = {
    ...portOf(owner),
    ringBuffers,
    poll: () => poll.poll(take),
    watch: (words: Int32Array, index: number) => poll.watch(words, index)
  }
  const join = (name: string) => {
    const channel = channels.join(name)
    return { ...channel, poll: () => poll.poll(channel.receive) }
  }
  return [port, { ...channels, join }]
}

/** In the main thread: what a program is refused for before it uses the port. */
const noPort: Wire.Port = { post: () => {}, listen: () => {} }
