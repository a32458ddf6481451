/**
 * Both directions of a schema: the functions that read and write its wire form; and what writes all arguments of a function.
 */
import type * as SchemaAST from "effect/SchemaAST"
import { CodecFailure, refusedArgument, toCodecError } from "../../CodecError.ts"
import * as Primitive from "../../Primitive.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Writer } from "../msgpack/MsgPackWriter.ts"
import type * as Accessor from "./Accessor.ts"
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

/** One for each form, whoever asks. What `argumentsWriter` compiles has the forms in it once more. */
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

/** An argument of a function: where it is in the payload, and how it is written. */
interface Argument {
  readonly name: string
  readonly schema: { readonly ast: SchemaAST.AST }
  readonly of: Accessor.Accessor
  readonly wire: WireCodec
}

/**
 * Caller's side: writes a payload's arguments, each as a value after its length, a u32. A buffer that moves is its giver's still.
 * Throws a `CodecError` whose path begins with the argument's name.
 */
export const argumentsWriter = (args: ReadonlyArray<Argument>): WireEncoder.Write => {
  if (!Source.isAllowed) return (payload, writer) => writeArguments(args, payload, writer)
  let write: WireEncoder.Write | undefined
  return (payload, writer) => {
    write ??= WriteSource.compiledArguments(args.map(({ name, schema }) => ({ name, wire: formOf(schema.ast) })))
    write(payload, writer)
  }
}

/** What `WriteSource.compiledArguments` compiles, statement by statement: a change here is one there. */
const writeArguments = (args: ReadonlyArray<Argument>, payload: unknown, writer: Writer): void => {
  for (const { name, of, wire } of args) {
    try {
      const start = writer.placeholder32()
      writer.begin()
      wire.write(of(payload), writer)
      writer.patch32(start, writer.size - start - 4)
      writer.beside?.nameMoves(name)
    } catch (thrown) {
      throw refusedArgument(thrown, name)
    }
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
    throw thrown instanceof CodecFailure ? toCodecError("encode", thrown) : thrown
  }
}

/** Reads what is left of the reader's window, which must be one value and nothing else. */
export const readWindow = (wire: WireCodec, reader: Reader): unknown => {
  reader.depth = 0
  const value = wire.read(reader)
  if (reader.offset !== reader.end) reader.malformed(reader.offset, `${reader.remaining} bytes follow the value`)
  return value
}
