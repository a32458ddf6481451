/** What a handle is made of: values that a structured clone keeps. */
import * as Schema from "effect/Schema"
import { SharedMemory } from "../../SharedMemory.ts"

export const Handle = Schema.Struct({
  fiberhost: Schema.Literal("handle"),
  contract: Schema.String,
  /** Its functions: `FunctionCodec.signaturesOf`. */
  functions: Schema.Array(Schema.String),
  name: Schema.String,
  bell: SharedMemory,
  board: SharedMemory,
  waits: SharedMemory,
  concurrency: Schema.Number,
  /** The number of the thread that owns the pool. */
  owner: Schema.Number
})
export type Handle = typeof Handle.Type

/** The channel on which the caller asks the owner for one more thread. */
export const ownersChannel = (name: string): string => `${name}/owner`
