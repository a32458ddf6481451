/** Memory that threads share, as it arrives in a message or in what a thread is started with. */
import * as Schema from "effect/Schema"
import * as Codec from "../Codec.ts"

export const isSharedMemory = (it: unknown): it is SharedArrayBuffer => it instanceof SharedArrayBuffer

/** In a structured clone. */
export const SharedMemory = Schema.declare(isSharedMemory)

/** In a frame of the wire. */
export const SharedMemoryBeside = Codec.cloned(isSharedMemory, "shared memory")
