/**
 * MessagePack codecs derived from Effect schemas.
 *
 * A contract names schemas; a codec carries their values between threads and guests as bytes, each encoded once and
 * decoded once. The rules are the table in `WireSchema.ts`. A codec is synchronous, needs no services, holds no
 * resources, and is made once per schema. Bytes from outside are never trusted: whatever they are, decoding ends in
 * time proportional to their length, with a value that the schema admits or with a typed error.
 */
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { type CodecError, CodecFailure, toCodecError } from "./CodecError.ts"
import { Reader } from "./internal/codec/MsgPackReader.ts"
import { defaultLimit, Writer } from "./internal/codec/MsgPackWriter.ts"
import { build } from "./internal/codec/WireBuilder.ts"
import { type Read, reader } from "./internal/codec/WireDecoder.ts"
import { type Write, writer } from "./internal/codec/WireEncoder.ts"

export {
  Asynchronous,
  CodecError,
  CodecErrorReason,
  Defective,
  DoesNotFit,
  Malformed,
  TooDeep,
  TooLarge,
  Unsupported
} from "./CodecError.ts"
export { Reader } from "./internal/codec/MsgPackReader.ts"
export { defaultLimit, Writer } from "./internal/codec/MsgPackWriter.ts"

/** Carries values of `A` as MessagePack. */
export interface Codec<A> {
  /** Appends one MessagePack value to `writer`. On failure the writer is rewound to where it was. */
  readonly encode: (value: A, writer: Writer) => Result.Result<void, CodecError>
  /** Reads one MessagePack value at the reader's position, and leaves it after the value. */
  readonly decode: (reader: Reader) => Result.Result<A, CodecError>
  readonly schema: Schema.ConstraintCodec<A, unknown>
}

/**
 * The codec of a schema. Throws a `CodecError` with reason `Unsupported`, the path and a hint when a part of the schema
 * has no MessagePack form: a contract that cannot travel is a bug, found when it is defined.
 */
export const make = <S extends Schema.ConstraintCodec<unknown, unknown>>(schema: S): Codec<S["Type"]> => {
  const { read, write } = steps(schema.ast)
  return {
    schema: schema as Schema.ConstraintCodec<S["Type"], unknown>,
    encode: (value, writer) => {
      const mark = writer.size
      try {
        writer.begin()
        write(value, writer)
        return done
      } catch (thrown) {
        writer.rewind(mark)
        return Result.fail(toCodecError("encode", thrown))
      }
    },
    decode: (reader) => {
      try {
        reader.depth = 0
        return Result.succeed(read(reader) as S["Type"])
      } catch (thrown) {
        return Result.fail(toCodecError("decode", thrown))
      }
    }
  }
}

/** Encodes into fresh bytes of exactly the value's length. `limit` is in bytes. */
export const encodeToBytes = <A>(
  codec: Codec<A>,
  value: A,
  limit: number = defaultLimit
): Result.Result<Uint8Array<ArrayBuffer>, CodecError> => {
  // A transformation may encode as well, so the scratch buffer is taken while it is in use.
  const writer = limit === defaultLimit && spare !== undefined ? spare : new Writer(limit)
  if (writer === spare) spare = undefined
  const result = codec.encode(value, writer)
  const bytes = Result.isSuccess(result) ? Result.succeed(writer.take()) : Result.fail(result.failure)
  writer.reset()
  if (limit === defaultLimit) spare = writer
  return bytes
}

/** Decodes bytes that hold one value and nothing else. */
export const decodeFromBytes = <A>(codec: Codec<A>, bytes: Uint8Array): Result.Result<A, CodecError> => {
  const reader = new Reader(bytes)
  const result = codec.decode(reader)
  if (Result.isFailure(result) || reader.remaining === 0) return result
  const message = `${reader.remaining} bytes follow the value`
  const trailing = new CodecFailure({ _tag: "Malformed", offset: reader.offset, message })
  return Result.fail(toCodecError("decode", trailing))
}

let spare: Writer | undefined
const done: Result.Result<void, never> = Result.succeed(undefined)
const made = new WeakMap<SchemaAST.AST, { readonly read: Read; readonly write: Write }>()

function steps(ast: SchemaAST.AST): { readonly read: Read; readonly write: Write } {
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
