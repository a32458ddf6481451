/**
 * Caller's side: the codec of a guest function, between the values of its contract and the MessagePack that its guest
 * knows. What does not fit is a `GuestError`.
 */
import type * as Codec from "@fiberhost/core/Codec"
import type { CodecError } from "@fiberhost/core/CodecError"
import type { FunctionCodec } from "@fiberhost/core/FunctionCodec"
import * as Wire from "@fiberhost/core/Wire"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"

/** How a call of it ended: its answer, its own failure, or a `GuestError`. */
export type TypedExit = Exit.Exit<unknown, unknown>

export class GuestCodec {
  readonly plugin: string
  readonly codec: FunctionCodec
  /** What a call fails with when the module leaves the function out. */
  readonly leftOut: Exit.Exit<never, GuestError.GuestError> | undefined

  private readonly valueBytes: number

  /** `valueBytes`: the longest argument that the guest takes. */
  constructor(plugin: string, codec: FunctionCodec, missing: ReadonlyArray<string>, valueBytes: number) {
    this.plugin = plugin
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

/** The reason of a value that does not fit an argument. */
export const valueRefused = ({ detail, path, reason }: CodecError): GuestError.Reason =>
  reason._tag === "TooLarge"
    ? new GuestError.ValueTooLarge({ path, limit: reason.limit })
    : new GuestError.ValueRefused({ path, detail })
