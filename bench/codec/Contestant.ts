// A codec that takes part: its two directions, measured one at a time. What it writes is its caller's to keep, so each call has bytes of
// its own. Before it is measured it must have carried the value.
import { deepStrictEqual } from "node:assert"
import * as ClosedLoop from "../harness/ClosedLoop.ts"
import type { Role, Subject } from "../harness/Subject.ts"
import { type CodecCase, type Shape, shapeOf } from "./Shapes.ts"

export interface Directions<Written> {
  readonly encode: (value: unknown) => Written
  readonly decode: (written: Written) => unknown
}

export interface Contestant<Written extends Uint8Array | string> {
  readonly name: string
  readonly role: Role
  /** Whether it refuses what is not of the schema, when it writes and when it reads. */
  readonly checks: boolean
  /** Default: all. */
  readonly takes?: Subject<CodecCase>["takes"]
  /** A codec that has met no other shape. */
  readonly make: (shape: Shape<unknown>) => Directions<Written>
}

export const subject = <Written extends Uint8Array | string>({
  name,
  role,
  takes = () => true,
  make
}: Contestant<Written>): Subject<CodecCase> => ({
  name,
  role,
  takes,
  open: async (benchCase) => {
    const shape = shapeOf(benchCase)
    const { encode, decode } = make(shape)
    const written = encode(shape.value)
    deepStrictEqual(plain(decode(written)), plain(shape.value))
    const call =
      benchCase.direction === "encode"
        ? () => expect(encode(shape.value).length === written.length)
        : () => expect(shape.holds(decode(written)))
    return { run: (slice) => ClosedLoop.ofCalls(slice, call), close: async () => {} }
  }
})

/** Bytes are the same bytes as a `Buffer`, and a struct without a prototype the same struct. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value, asText))

function asText(this: { readonly [key: string]: unknown }, key: string, value: unknown): unknown {
  const original = this[key]
  return original instanceof Uint8Array ? original.toHex() : value
}

function expect(right: boolean): void {
  if (!right) throw new Error("carried wrongly")
}
