/**
 * Both directions of a schema: the functions that read and write its wire form.
 */
import type * as SchemaAST from "effect/SchemaAST"
import { CodecFailure, toCodecError } from "../../CodecError.ts"
import { isA } from "../../Foreign.ts"
import * as Primitive from "../../Primitive.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import * as ReadSource from "./ReadSource.ts"
import * as Source from "./Source.ts"
import { build } from "./WireBuilder.ts"
import * as WireDecoder from "./WireDecoder.ts"
import * as WireEncoder from "./WireEncoder.ts"
import type { Wire } from "./WireSchema.ts"
import * as WriteSource from "./WriteSource.ts"

/** Both are looked up when they are called: the first call replaces them by what is compiled. */
export interface WireCodec {
  readonly read: WireDecoder.Read
  readonly write: WireEncoder.Write
}

/** Throws a `CodecError` with reason `Unsupported` where a part of the schema has no form. */
export const wireCodec = (ast: SchemaAST.AST, compile = true): WireCodec => {
  const wire = formOf(ast)
  if (!compile || !Source.isAllowed) return { read: WireDecoder.reader(wire), write: WireEncoder.writer(wire) }
  let codec = made.get(wire)
  if (codec === undefined) made.set(wire, (codec = new CompiledCodec(wire)))
  return codec
}

/** One for each form, so that nothing is compiled twice. */
const made = new WeakMap<Wire, WireCodec>()

/** Most functions of a contract are never called. */
class CompiledCodec implements WireCodec {
  read: WireDecoder.Read
  write: WireEncoder.Write

  constructor(wire: Wire) {
    this.read = (reader) => (this.read = ReadSource.compiled(wire))(reader)
    this.write = (value, writer) => (this.write = WriteSource.compiled(wire))(value, writer)
  }
}

/** What both directions are compiled from, to be read by people; undefined where everything is interpreted. */
export const sourceOf = (ast: SchemaAST.AST): { readonly decode: string; readonly encode: string } | undefined =>
  Source.isAllowed
    ? { decode: ReadSource.compile(formOf(ast)).text, encode: WriteSource.compile(formOf(ast)).text }
    : undefined

/** The number kind that a schema is, without a check or a transformation of its own. */
export const plainKind = (ast: SchemaAST.AST): Primitive.Kind | undefined => {
  const wire = formOf(ast)
  const isPlain =
    wire._tag === "Bool" || wire._tag === "Int" || wire._tag === "BigInt" || (wire._tag === "Float" && !wire.finite)
  return isPlain ? Primitive.kindOf(ast) : undefined
}

const formOf = (ast: SchemaAST.AST): Wire => {
  try {
    return build(ast)
  } catch (thrown) {
    throw isA(thrown, CodecFailure) ? toCodecError("encode", thrown) : thrown
  }
}

/** Reads what is left of the reader's window, which must be one value and nothing else. */
export const readWindow = (wire: WireCodec, reader: Reader): unknown => {
  reader.depth = 0
  const value = wire.read(reader)
  if (reader.offset !== reader.end) reader.malformed(reader.offset, `${reader.remaining} bytes follow the value`)
  return value
}
