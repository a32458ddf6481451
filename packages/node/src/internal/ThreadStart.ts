/** What a thread is started with beside its program's own data: what its port needs on both sides. */
import type { MessagePort } from "node:worker_threads"
import { RingBuffer } from "@fiberhost/core/RingBuffer"
import { SharedMemory } from "@fiberhost/core/SharedMemory"
import type { RingBuffers } from "@fiberhost/core/Wire"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const ThreadStart = Schema.Struct({
  /** The program's. */
  data: Schema.Unknown,
  /** How long the thread polls, in milliseconds. */
  busyPoll: Schema.Number,
  toThread: SharedMemory,
  toOwner: SharedMemory,
  /** The thread's end of a port that closes when it ends: see `NodeThreadWatcher`. */
  lifeline: Schema.Unknown
})
export type ThreadStart = typeof ThreadStart.Type

/** Owner's side: what the thread is started with, and what the owner shares with it. */
export const make = (
  data: unknown,
  busyPoll: number,
  lifeline: MessagePort
): { readonly start: ThreadStart; readonly ringBuffers: RingBuffers } => {
  const ringBuffers = { out: new RingBuffer(), in: new RingBuffer() }
  const start = { data, busyPoll, lifeline, toThread: ringBuffers.out.memory, toOwner: ringBuffers.in.memory }
  return { start, ringBuffers }
}

/** Worker side: what the thread was started with, or undefined when nobody started it so. */
export const read = (workerData: unknown): ThreadStart | undefined =>
  Option.getOrUndefined(Schema.decodeUnknownOption(ThreadStart)(workerData))

/** Worker side: what it shares with its owner. */
export const ringBuffersOf = ({ toOwner, toThread }: ThreadStart): RingBuffers => ({
  out: new RingBuffer(toOwner),
  in: new RingBuffer(toThread)
})
