/**
 * Memory that threads share, as it arrives in a message or in what a thread is started with.
 *
 * @internal
 */
import * as Schema from "effect/Schema"
import * as Codec from "./Codec.ts"

const isSharedMemory = (it: unknown): it is SharedArrayBuffer => it instanceof SharedArrayBuffer

/** In a structured clone. */
export const SharedMemory: Schema.declare<SharedArrayBuffer> = Schema.declare(isSharedMemory)

/** In a frame of the wire. */
export const SharedMemoryBeside: Schema.declare<SharedArrayBuffer> = Codec.cloned(isSharedMemory, "shared memory")
