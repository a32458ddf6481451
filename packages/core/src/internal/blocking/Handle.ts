/** What a handle is made of: values that a structured clone keeps. */
import * as Schema from "effect/Schema"

const SharedMemory = Schema.declare((it: unknown): it is SharedArrayBuffer => it instanceof SharedArrayBuffer)

export const Handle = Schema.Struct({
  fiberhost: Schema.Literal("handle"),
  contract: Schema.String,
  name: Schema.String,
  bell: SharedMemory,
  board: SharedMemory,
  waits: SharedMemory,
  concurrency: Schema.Number,
  /** The number of the thread that owns the pool. */
  owner: Schema.Number
})
export type Handle = typeof Handle.Type
