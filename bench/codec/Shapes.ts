// The values that every subject carries, with their schemas, and how what was read is checked: the same for all. A check costs as good
// as nothing.
import { Schema } from "effect"
import type { Case } from "../harness/Subject.ts"

export type ShapeName = "struct" | "nested" | "f64x1000" | "structsx100" | "bytes64KiB"

export interface CodecCase extends Case {
  readonly shape: ShapeName
  readonly direction: "encode" | "decode"
}

export interface Shape<A> {
  readonly schema: Schema.ConstraintCodec<A, unknown>
  readonly value: A
  /** Whether it is the value, by what only a whole one has. */
  readonly holds: (value: A) => boolean
}

const shape = <A>(
  schema: Schema.ConstraintCodec<A, unknown>,
  value: NoInfer<A>,
  holds: (value: A) => boolean
): Shape<A> => ({ schema, value, holds })

const { Array: List, Boolean: Bool, Int, NullOr, Number: F64, String: Text, Struct, Uint8Array: Bytes } = Schema

const struct = shape(
  Struct({ id: Int, name: Text, weight: F64 }),
  { id: 123_456, name: "a text of 24 characters.", weight: 1.5 },
  ({ weight }) => weight === 1.5
)

/** Some twenty fields, in structs and lists of the first. */
const nested = shape(
  Struct({
    id: Int,
    title: Text,
    kind: Schema.Literals(["article", "note", "draft"]),
    author: Struct({ name: Text, email: Text, verified: Bool }),
    score: F64,
    views: Int,
    pinned: Bool,
    parent: NullOr(Int),
    position: Struct({ x: F64, y: F64, z: F64 }),
    tags: List(Text),
    revisions: List(Struct({ at: Int, by: Text })),
    status: Struct({ open: Bool, reason: NullOr(Text) })
  }),
  {
    id: 77_001,
    title: "what a codec has to carry",
    kind: "article",
    author: { name: "Grace Hopper", email: "grace@example.com", verified: true },
    score: 0.875,
    views: 1_204_511,
    pinned: false,
    parent: null,
    position: { x: 12.25, y: -7.5, z: 0.125 },
    tags: ["wasm", "effects", "threads"],
    revisions: [
      { at: 1_700_000_000, by: "grace" },
      { at: 1_700_086_400, by: "ada" }
    ],
    status: { open: true, reason: null }
  },
  ({ position, revisions }) => position.z === 0.125 && revisions[1]!.by === "ada"
)

const f64x1000 = shape(
  List(F64),
  Array.from({ length: 1000 }, (_, i) => i + 0.5),
  (list) => list.length === 1000 && list[999] === 999.5
)

const structsx100 = shape(
  List(Struct({ id: Int, name: Text, city: Text })),
  Array.from({ length: 100 }, (_, id) => ({ id, name: `person number ${id}`, city: id % 2 === 0 ? "Zürich" : "Oslo" })),
  (list) => list.length === 100 && list[99]!.name === "person number 99"
)

const bytes64KiB = shape(
  Struct({ path: Text, offset: Int, last: Bool, body: Bytes }),
  { path: "images/cover.png", offset: 131_072, last: false, body: new Uint8Array(64 * 1024).map((_, i) => i) },
  ({ body }) => body.length === 64 * 1024 && body[65_535] === 255
)

export const shapes = { struct, nested, f64x1000, structsx100, bytes64KiB }
export const shapeOf = ({ shape }: CodecCase): Shape<unknown> => shapes[shape] as Shape<unknown>
