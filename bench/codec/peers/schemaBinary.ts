// Effect's own binary codec of a schema, which checks as ours does, with Effect's compiler of schemas on: in the mode that lets schemas
// evolve, and in the one that writes less and takes the very same schema on both sides.
import "effect/schema/SchemaJITCompiler/enable"
import { Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import type { Contestant } from "../Contestant.ts"

const contestant = (name: string, fingerprint: boolean): Contestant<Uint8Array> => ({
  name,
  role: "peer",
  checks: true,
  make: ({ schema }) => {
    const codec = SchemaBinary.toCodec(schema, { fingerprint })
    return { encode: Schema.encodeUnknownSync(codec), decode: Schema.decodeUnknownSync(codec) }
  }
})

export const schemaBinary = [contestant("schema-binary", false), contestant("schema-binary-fingerprint", true)]
