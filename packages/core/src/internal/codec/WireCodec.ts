/**
 * Both directions of a schema: the functions that read and write its wire form, made once per AST.
 */
import type * as SchemaAST from "effect/SchemaAST"
import { CodecFailure, toCodecError } from "../../CodecError.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import { build } from "./WireBuilder.ts"
import { type Read, reader } from "./WireDecoder.ts"
import { type Write, writer } from "./WireEncoder.ts"

export interface WireCodec {
  readonly read: Read
  readonly write: Write
}

const made = new WeakMap<SchemaAST.AST, WireCodec>()

/** Throws a `CodecError` with reason `Unsupported` where a part of the schema has no form. */
export const wireCodec = (ast: SchemaAST.AST): WireCodec => {
  let found = made.get(ast)
  if (found === undefined) {
    try {
      const wire = build(ast)
      made.set(ast, (found = { read: reader(wire), write: writer(wire) }))
    } catch (thrown) {
      throw thrown instanceof CodecFailure ? toCodecError("encode", thrown) : thrown
    }
  }
  return found
}

/** Reads what is left of the reader's window, which must be one value and nothing else. */
export const readWindow = (read: Read, reader: Reader): unknown => {
  reader.depth = 0
  const value = read(reader)
  if (reader.offset !== reader.end) reader.malformed(reader.offset, `${reader.remaining} bytes follow the value`)
  return value
}
