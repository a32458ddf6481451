/**
 * Caller's side: the codec of a guest function, between the values of its contract and the MessagePack that its guest
 * knows. What does not fit is a `GuestError`.
 */
import * as Codec from "@fiberhost/core/Codec"
import { type CodecError, toCodecError } from "@fiberhost/core/CodecError"
import type { FunctionCodec } from "@fiberhost/core/FunctionCodec"
import * as Wire from "@fiberhost/core/Wire"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import * as Signature from "../module/Signature.ts"
import * as FatPtr from "./FatPtr.ts"
import { type GuestMemory, TooLong } from "./GuestMemory.ts"

/** How a call of it ended: its answer, its own failure, or a `GuestError`. */
export type TypedExit = Exit.Exit<unknown, unknown>

export class GuestCodec {
  readonly plugin: string
  readonly codec: FunctionCodec
  /** What a call fails with when the module leaves the function out. */
  readonly leftOut: Exit.Exit<never, GuestError.GuestError> | undefined

  private readonly valueBytes: number
  private readonly signature: Signature.Signature

  /** `valueBytes`: the longest argument that the guest takes. */
  constructor(plugin: string, codec: FunctionCodec, missing: ReadonlyArray<string>, valueBytes: number) {
    this.plugin = plugin
    this.signature = Signature.make(codec)
    this.valueBytes = valueBytes
    this.codec = codec
    this.leftOut = missing.includes(codec.name)
      ? this.fail(new GuestError.MissingExports({ names: [codec.name] }))
      : undefined
  }

  fail(reason: GuestError.Reason): Exit.Exit<never, GuestError.GuestError> {
    return Exit.fail(new GuestError.GuestError({ plugin: this.plugin, function: this.codec.name, reason }))
  }

  /** One MessagePack value for each argument. */
  encode(payload: unknown): Result.Result<ReadonlyArray<Uint8Array>, GuestError.Reason> {
    const args = this.codec.encodeArguments(payload)
    if (Result.isFailure(args)) return Result.fail(valueRefused(args.failure))
    const tooLong = args.success.findIndex(({ byteLength }) => byteLength > this.valueBytes)
    if (tooLong < 0) return Result.succeed(args.success)
    return Result.fail(
      new GuestError.ValueTooLarge({ path: this.codec.arguments[tooLong]!.name, limit: this.valueBytes })
    )
  }

  /** The answer from its MessagePack value. */
  decode(bytes: Uint8Array): TypedExit {
    return this.exitOf(this.codec.decodeAnswer(bytes))
  }

  /** Host to guest: the arguments as the export takes them, or why it gets none. */
  pass(payload: unknown, memory: GuestMemory): Raws | GuestError.Reason {
    const raws: Array<number | bigint> = []
    for (let i = 0; i < this.codec.arguments.length; i++) {
      const raw = this.passOne(i, payload, memory)
      if (typeof raw === "object") {
        release(raws, this.signature.arguments, memory)
        return raw
      }
      raws.push(raw)
    }
    return raws
  }

  private passOne(i: number, payload: unknown, memory: GuestMemory): number | bigint | GuestError.Reason {
    const { codec, kind, name } = this.codec.arguments[i]!
    let value: unknown
    try {
      value = typeof payload === "object" && payload !== null ? (payload as Record<string, unknown>)[name] : undefined
    } catch (thrown) {
      return valueRefused(toCodecError("encode", thrown).under(name))
    }
    const raw = kind === undefined ? undefined : Signature.rawOf(kind, value)
    const as = this.signature.arguments[i]!
    if (raw !== undefined && as !== "bytes") return raw
    const written = Codec.encodeWith(codec, value, (writer): number | bigint | GuestError.Reason => {
      if (writer.size > this.valueBytes) return new GuestError.ValueTooLarge({ path: name, limit: this.valueBytes })
      if (as !== "bytes") return Signature.toRaw(as, writer.bytes.subarray(0, writer.size))
      return memory.tryWrite(writer.bytes, 0, writer.size) ?? new GuestError.OutOfMemory({ bytes: writer.size })
    })
    return Result.isSuccess(written) ? written.success : valueRefused(written.failure.under(name))
  }

  /** Guest to host: the answer, as the export returned it or resolved its AsyncValue with it. */
  take(answer: number | bigint | undefined, memory: GuestMemory): TypedExit {
    const { result, sync } = this.signature
    if (result === "void") return Exit.void
    if (result !== "bytes") {
      if (this.codec.successKind !== undefined) return Exit.succeed(Signature.valueOf(result, answer!))
      return this.decode(Signature.fromRaw(result, answer!))
    }
    const taken = memory.read(answer as bigint, this.codec.readAnswer)
    if (taken instanceof TooLong) return this.fail(new GuestError.AnswerRefused({ path: "", detail: taken.detail }))
    // fp-bindgen's SPEC.md lets a guest answer nothing with the null pointer.
    return !sync && FatPtr.lengthOf(answer as bigint) === 0 ? this.decode(nil) : this.exitOf(taken)
  }

  /** To another thread: appends the arguments, or says what does not fit. */
  write(payload: unknown, writer: Codec.Writer): CodecError | undefined {
    return writer.plain(this.valueBytes, () => this.codec.writeArguments(payload, writer))
  }

  /** From another thread: the answer in the value that the reader stands before. */
  read(reader: Codec.Reader): TypedExit {
    return this.exitOf(reader.plain(() => Wire.withValue(reader, this.codec.readAnswer)))
  }

  private exitOf(answer: Result.Result<Result.Result<unknown, unknown>, CodecError>): TypedExit {
    if (Result.isFailure(answer)) {
      const { detail, path } = answer.failure
      return this.fail(new GuestError.AnswerRefused({ path, detail }))
    }
    return Result.isSuccess(answer.success) ? Exit.succeed(answer.success.success) : Exit.fail(answer.success.failure)
  }
}

/** Arguments as an export takes them: a raw number, or a fat pointer. */
export type Raws = ReadonlyArray<number | bigint>

/** Frees arguments that were written and are not delivered. */
export const release = (raws: Raws, kinds: ReadonlyArray<Signature.Kind>, memory: GuestMemory): void => {
  for (const [position, raw] of raws.entries()) if (kinds[position] === "bytes") memory.release(raw as bigint)
}

/** MessagePack nil: the answer of a function that returns nothing. */
export const nil = new Uint8Array([0xc0])

/** The reason of a value that does not fit an argument. */
export const valueRefused = ({ detail, path, reason }: CodecError): GuestError.Reason =>
  reason._tag === "TooLarge"
    ? new GuestError.ValueTooLarge({ path, limit: reason.limit })
    : new GuestError.ValueRefused({ path, detail })
