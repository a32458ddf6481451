/**
 * The arguments of a function's calls on their way: each a value of its own, either as bytes of its own, or one after
 * the other in a frame. Whatever is wrong is said of its argument.
 */
import * as Result from "effect/Result"
import * as Codec from "../../Codec.ts"
import { type CodecError, toCodecError } from "../../CodecError.ts"
import type { Argument, FunctionCodec } from "../../FunctionCodec.ts"
import * as Wire from "../../Wire.ts"
import { readWindow } from "./WireCodec.ts"

type Arguments = Pick<
  FunctionCodec,
  "encodeArguments" | "decodeArguments" | "writeArguments" | "draftArguments" | "readArguments"
>

export const make = (args: ReadonlyArray<Argument>): Arguments => {
  const wires = args.map(({ wire }) => wire)

  const encodeArguments: Arguments["encodeArguments"] = (payload, limit = Codec.longest) => {
    const values: Array<Uint8Array> = []
    for (let i = 0; i < args.length; i++) {
      const { codec, name, of } = args[i]!
      const bytes = encodeArgument(codec, payload, of, limit)
      if (Result.isFailure(bytes)) return Result.fail(bytes.failure.under(name))
      values.push(bytes.success)
    }
    return Result.succeed(values)
  }

  const decodeArguments = (values: ReadonlyArray<Uint8Array>): Result.Result<unknown, CodecError> => {
    if (args.length === 0) return Result.succeed(undefined)
    const payload: Record<string, unknown> = {}
    let i = 0
    try {
      for (; i < args.length; i++) {
        payload[args[i]!.name] = readWindow(wires[i]!, new Codec.Reader(values[i] ?? noBytes))
      }
      return Result.succeed(payload)
    } catch (thrown) {
      return Result.fail(toCodecError("decode", thrown).under(args[i]!.name))
    }
  }

  const draftArguments = (payload: unknown, writer: Codec.Writer): CodecError | undefined => {
    const mark = writer.size
    let i = 0
    try {
      for (; i < args.length; i++) {
        const at = writer.placeholder32()
        writer.begin()
        wires[i]!.write(args[i]!.of(payload), writer)
        writer.patch32(at, writer.size - at - 4)
        writer.beside?.namePromised(args[i]!.name)
      }
      return undefined
    } catch (thrown) {
      writer.rewind(mark)
      return toCodecError("encode", thrown).under(args[i]!.name)
    }
  }

  const writeArguments = (payload: unknown, writer: Codec.Writer): CodecError | undefined => {
    const mark = writer.size
    const refused = draftArguments(payload, writer) ?? settle(writer)
    if (refused !== undefined) writer.rewind(mark)
    return refused
  }

  const reads = wires.map((wire) => (reader: Codec.Reader) => readWindow(wire, reader))
  const readArguments = (reader: Codec.Reader): Result.Result<unknown, CodecError> => {
    if (args.length === 0) return Result.succeed(undefined)
    const { end } = reader
    const payload: Record<string, unknown> = {}
    let start = reader.offset
    let i = 0
    try {
      for (; i < args.length; i++) {
        start = reader.offset
        payload[args[i]!.name] = Wire.withValue(reader, reads[i]!)
      }
      return Result.succeed(payload)
    } catch (thrown) {
      reader.window(start, end)
      passArguments(reader, args.length - i)
      return Result.fail(toCodecError("decode", thrown).under(args[i]!.name))
    }
  }

  return { encodeArguments, decodeArguments, writeArguments, draftArguments, readArguments }
}

/** Caller's side: what `draftArguments` has written is sent next. Buffers that move are moved, or it is said which cannot be. */
export const settle = (writer: Codec.Writer): CodecError | undefined => {
  try {
    writer.settle()
    return undefined
  } catch (thrown) {
    return toCodecError("encode", thrown)
  }
}

/** Reading the payload runs the caller's code, which may throw. */
const encodeArgument = (codec: Codec.Codec<unknown>, payload: unknown, of: Argument["of"], limit: number) => {
  try {
    return Codec.encodeToBytes(codec, of(payload), limit)
  } catch (thrown) {
    return Result.fail(toCodecError("encode", thrown))
  }
}

/** Leaves the reader after so many arguments, or at its end when that cannot be told. */
const passArguments = (reader: Codec.Reader, count: number): void => {
  try {
    for (let left = count; left > 0; left--) Wire.readValue(reader)
  } catch {
    reader.offset = reader.end
  }
}

const noBytes = new Uint8Array(0)
