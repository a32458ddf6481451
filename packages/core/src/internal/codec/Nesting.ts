/** How deep a value is nested that is being written. */
import { CodecFailure } from "../../CodecError.ts"
import { maxDepth } from "../msgpack/MsgPackFormat.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"
import type { Write } from "./WireEncoder.ts"

/** Writes one level deeper. */
export function nested(write: Write): Write {
  return (value, w) => {
    enter(w)
    write(value, w)
    w.depth--
  }
}

/** Goes one level deeper; who returns normally goes back. */
export function enter(w: Writer): void {
  if (++w.depth > maxDepth) throw new CodecFailure({ _tag: "TooDeep", limit: maxDepth })
}
