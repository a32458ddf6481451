/**
 * MessagePack codecs derived from Effect schemas.
 *
 * A contract names schemas; a codec carries their values between threads and guests as bytes, each encoded once and
 * decoded once. The rules are the table in `WireSchema.ts`. A codec is synchronous, needs no services, holds no
 * resources, and is made once per schema. Bytes from outside are never trusted: whatever they are, decoding ends in
 * time proportional to their length, with a value that the schema admits or with a typed error. What the schema itself runs
 * takes the time that it takes: its checks, and its transformations with what they parse, such as JSON.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type CodecError, toCodecError } from "./CodecError.ts"
import { readWindow, sourceOf, wireCodec } from "./internal/codec/WireCodec.ts"
import { clonedKey } from "./internal/codec/WireDeclaration.ts"
import type { BesideWire } from "./internal/codec/WireSchema.ts"
import { defaultLimit } from "./internal/msgpack/MsgPackFormat.ts"
import { Reader } from "./internal/msgpack/MsgPackReader.ts"
import { Writer } from "./internal/msgpack/MsgPackWriter.ts"

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
export { Beside } from "./internal/msgpack/Beside.ts"
export { defaultLimit, longest } from "./internal/msgpack/MsgPackFormat.ts"
export { Reader } from "./internal/msgpack/MsgPackReader.ts"
export { Writer } from "./internal/msgpack/MsgPackWriter.ts"
export { copyWords, longLength } from "./internal/msgpack/Words.ts"

/** Carries values of `A` as MessagePack. */
export interface Codec<A> {
  /** Appends one MessagePack value to `writer`. On failure the writer is rewound to where it was. */
  readonly encode: (value: A, writer: Writer) => Result.Result<void, CodecError>
  /** Reads one MessagePack value at the reader's position, and leaves it after the value. */
  readonly decode: (reader: Reader) => Result.Result<A, CodecError>
  /** Reads what is left of the reader's window, which must be one value and nothing else. */
  readonly decodeWindow: (reader: Reader) => Result.Result<A, CodecError>
  readonly schema: Schema.ConstraintCodec<A, unknown>
}

export interface Options {
  /**
   * Whether structs and lists are read and written by functions that are compiled for the schema. Default: where the platform
   * lets code be made of text. The values, the bytes and the errors are the same.
   */
  readonly compile?: boolean
}

/**
 * The codec of a schema. Throws a `CodecError` with reason `Unsupported`, the path and a hint when a part of the schema
 * has no MessagePack form: a contract that cannot travel is a bug, found when it is defined.
 */
export const make = <S extends Schema.ConstraintCodec<unknown, unknown>>(
  schema: S,
  options?: Options
): Codec<S["Type"]> => {
  const wire = wireCodec(schema.ast, options?.compile)
  return {
    schema: schema as Schema.ConstraintCodec<S["Type"], unknown>,
    encode: (value, writer) => {
      const mark = writer.size
      try {
        writer.begin()
        wire.write(value, writer)
        writer.settle()
        return done
      } catch (thrown) {
        writer.rewind(mark)
        return Result.fail(toCodecError("encode", thrown))
      }
    },
    decode: (reader) => {
      try {
        reader.depth = 0
        return Result.succeed(wire.read(reader) as S["Type"])
      } catch (thrown) {
        return Result.fail(toCodecError("decode", thrown))
      }
    },
    decodeWindow: (reader) => {
      try {
        return Result.succeed(readWindow(wire, reader) as S["Type"])
      } catch (thrown) {
        return Result.fail(toCodecError("decode", thrown))
      }
    }
  }
}

/**
 * The JavaScript that the codec of a schema is compiled to, to look at: structs and lists, and by name what is interpreted
 * in them. Undefined where the platform lets no code be made of text.
 */
export const source = (
  schema: Schema.ConstraintCodec<unknown, unknown>
): { readonly decode: string; readonly encode: string } | undefined => sourceOf(schema.ast)

/** A writer of this thread's, empty: whoever takes it gives it back. `limit` is in bytes. */
export const scratch = (limit: number = defaultLimit): Writer => {
  // A transformation may encode as well, so it is taken while it is in use.
  const writer = spare ?? new Writer()
  spare = undefined
  writer.limit = limit
  return writer
}

/** Only a writer that `scratch` gave. It is emptied. */
export const giveBack = (writer: Writer): void => {
  writer.reset()
  spare = writer
}

/** Encodes into fresh bytes of exactly the value's length. `limit` is in bytes. */
export const encodeToBytes = <A>(
  codec: Codec<A>,
  value: A,
  limit: number = defaultLimit
): Result.Result<Uint8Array<ArrayBuffer>, CodecError> => {
  const writer = scratch(limit)
  try {
    const result = codec.encode(value, writer)
    return Result.isSuccess(result) ? Result.succeed(writer.take()) : Result.fail(result.failure)
  } finally {
    giveBack(writer)
  }
}

/** Decodes bytes that hold one value and nothing else. */
export const decodeFromBytes = <A>(codec: Codec<A>, bytes: Uint8Array): Result.Result<A, CodecError> =>
  codec.decodeWindow(new Reader(bytes))

/**
 * The schema of a value that only the structured clone can carry, such as a `WebAssembly.Module`. It travels between
 * threads, and to nobody else: where there is no list beside the bytes, encoding fails with `DoesNotFit`. `expected`
 * names the value in errors.
 */
export const cloned = <T>(is: (value: unknown) => value is T, expected: string): Schema.declare<T> =>
  Schema.declare(is, { expected, [clonedKey]: { _tag: "Beside", is, expected } satisfies BesideWire })

let spare: Writer | undefined
const done: Result.Result<void, never> = Result.succeed(undefined)
