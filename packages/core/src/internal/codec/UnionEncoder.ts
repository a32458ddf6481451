/**
 * Chooses the member of a union that writes a value: by the value's outward shape and literal fields, and only then by
 * trying one after the other.
 */
import { CodecFailure, doesNotFit } from "../../CodecError.ts"
import { isA } from "../../Foreign.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"
import type { Write } from "./WireEncoder.ts"
import type { Wire } from "./WireSchema.ts"
import { admits } from "./WireShape.ts"

/** The writing function of a union; `writerOf` gives the one of a member. Where several admit a value, order decides. */
export const make = (members: ReadonlyArray<Wire>, oneOf: boolean, writerOf: (wire: Wire) => Write): Write => {
  const writers = members.map(writerOf)
  return (value, w) => {
    const first = members.findIndex((member) => admits(member, value))
    if (first < 0) throw doesNotFit("Expected a member of the union")
    for (let i = first + 1; i < members.length; i++) {
      if (admits(members[i]!, value)) {
        return tryEach(
          writers.filter((_, at) => at >= first && admits(members[at]!, value)),
          value,
          w,
          oneOf
        )
      }
    }
    writers[first]!(value, w)
  }
}

/** What is written in vain is taken back and counted by the writer, which bounds it. */
function tryEach(writers: ReadonlyArray<Write>, value: unknown, w: Writer, oneOf: boolean): void {
  const { depth, size: mark } = w
  let furthest = mark
  let failure: CodecFailure | undefined
  let fitting: Write | undefined
  for (const write of writers) {
    try {
      write(value, w)
      if (!oneOf) return
      if (fitting !== undefined) throw new CodecFailure({ _tag: "DoesNotFit", message: twice, final: true })
      fitting = write
    } catch (thrown) {
      if (!isA(thrown, CodecFailure) || !thrown.isMismatch) throw thrown
      if (failure === undefined || thrown.path.length > failure.path.length) failure = thrown
    }
    furthest = w.retract(mark, furthest)
    w.depth = depth
  }
  if (fitting === undefined) throw failure!
  fitting(value, w)
}

const twice = "Expected exactly one member of the union to match"
