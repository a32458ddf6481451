// Values to bytes and back: what our codec takes next to others, most of which hand over whatever the bytes say.
import { type Contestant, subject } from "./codec/Contestant.ts"
import { fiberhost } from "./codec/fiberhost.ts"
import { msgpack } from "./codec/peers/msgpack.ts"
import { msgpackr } from "./codec/peers/msgpackr.ts"
import { json, structuredClone } from "./codec/peers/platform.ts"
import { schemaBinary } from "./codec/peers/schemaBinary.ts"
import type { CodecCase, ShapeName } from "./codec/Shapes.ts"
import type { Bench } from "./harness/Bench.ts"
import { versionsOf } from "./harness/Origin.ts"

const shapes: ReadonlyArray<ShapeName> = ["struct", "nested", "f64x1000", "structsx100", "bytes64KiB"]
const directions = ["encode", "decode"] as const

const bytes: ReadonlyArray<Contestant<Uint8Array>> = [
  ...fiberhost,
  ...msgpackr,
  msgpack,
  ...schemaBinary,
  structuredClone
]
const subjects = [...bytes.map((contestant) => subject(contestant)), subject(json)]
const checking = bytes.filter(({ checks }) => checks).map(({ name }) => name)
const trusting = subjects.map(({ name }) => name).filter((name) => !checking.includes(name))

const notes = [
  `What is read and written is checked against its schema by ${checking.join(", ")}; not by ${trusting.join(", ")}.`,
  "In bytes64KiB/decode those that check copy the bytes, so that the answer is its reader's own; the others answer a view of what they read.",
  "json writes a string, the others bytes."
].join(" ")

export const bench: Bench<CodecCase> = {
  name: "codec",
  cases: shapes.flatMap((shape) =>
    // A call may take little more than the clock does.
    directions.map((direction) => ({ name: `${shape}/${direction}`, inFlight: 1, every: 32, shape, direction }))
  ),
  subjects,
  versions: versionsOf("@msgpack/msgpack", "msgpackr"),
  notes,
  mixed: ["fiberhost", "msgpackr", "msgpackr-records", "msgpack", "schema-binary"],
  quick: {
    cases: ["struct/encode", "struct/decode", "nested/encode", "nested/decode"],
    subjects: ["msgpackr", "msgpackr-records", "msgpack", "schema-binary", "json"]
  }
}
