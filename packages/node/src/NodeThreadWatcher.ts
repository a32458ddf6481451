/**
 * The program of a thread that never blocks, and sees other threads end while who owns them is blocked. It is a program, so
 * importing it runs it. `NodeThreads` starts it for the first handle of a pool.
 *
 * Of each thread that it watches it holds one end of a port, which closes when the thread has ended, whatever it died of.
 */
import { MessagePort, parentPort } from "node:worker_threads"
import * as Blocking from "@fiberhost/core/Blocking"
import { SharedMemory } from "@fiberhost/core/SharedMemory"
import * as Schema from "effect/Schema"

/** What its owner tells it. */
export const Message = Schema.Union([
  Schema.Struct({
    what: Schema.Literal("watch"),
    lifeline: Schema.declare((it: unknown): it is MessagePort => it instanceof MessagePort),
    board: SharedMemory,
    place: Schema.Struct({ slot: Schema.Number, generation: Schema.Number })
  }),
  Schema.Struct({ what: Schema.Literals(["bell", "forget"]), id: Schema.Number, bell: SharedMemory })
])
export type Message = typeof Message.Type

const decode = Schema.decodeUnknownSync(Message)
const bells = new Map<number, SharedArrayBuffer>()
const boards = new Set<SharedArrayBuffer>()

/** Its owner's end is its own: who is blocked on the owner's threads sees that it signs no more. */
setInterval(() => {
  for (const board of boards) Blocking.beat(board)
}, 500).unref()

parentPort?.on("message", (received: unknown) => {
  const message = decode(received)
  if (message.what === "watch") {
    const { board, lifeline, place } = message
    lifeline.on("close", () => Blocking.announceEnd(board, place, bells.values()))
    lifeline.start()
    boards.add(board)
    Blocking.beat(board)
  } else if (message.what === "bell") {
    bells.set(message.id, message.bell)
  } else {
    bells.delete(message.id)
  }
})
parentPort?.postMessage("ready")
