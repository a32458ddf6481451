/**
 * What a guest is told of a host function that ended: its answer, or, when it has none, the interruption Err that its
 * contract names.
 */
import * as Codec from "@fiberhost/core/Codec"
import type { FunctionCodec } from "@fiberhost/core/FunctionCodec"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Signature } from "../module/Signature.ts"

/** How a host function ended: its answer, as one MessagePack value or not written yet, or why there is none. */
export type HostExit = Exit.Exit<Uint8Array | Unwritten, HostCallError.HostCallError>

/** A value of the contract, which its codec has not checked. */
export class Unwritten {
  readonly codec: FunctionCodec
  readonly answer: HostFunction.Answer

  constructor(codec: FunctionCodec, answer: HostFunction.Answer) {
    this.codec = codec
    this.answer = answer
  }
}

/** What a handler of this thread answers when it has ended so. */
export const finished =
  (codec: FunctionCodec, { settle }: HostFunction.ValueFace) =>
  (exit: Exit.Exit<unknown, unknown>): HostExit => {
    if (Exit.isSuccess(exit)) return Exit.succeed(new Unwritten(codec, Result.succeed(exit.value)))
    const answer = settle(exit)
    return Exit.isSuccess(answer) ? Exit.succeed(new Unwritten(codec, answer.value)) : Exit.failCause(answer.cause)
  }

/** Who hears of a function that failed behind an interruption Err: its guest does not. */
export type OnUnheard = (error: HostCallError.HostCallError) => void

/**
 * Gives `use` the answer as MessagePack, the first `size` of `bytes`, for as long as it runs. `valueBytes` is the longest that
 * the guest takes. Fails when there is no answer, and no Err for that.
 */
export const write = <A>(
  signature: Signature,
  exit: HostExit,
  valueBytes: number,
  onUnheard: OnUnheard,
  use: (bytes: Uint8Array, size: number) => A
): Result.Result<A, HostCallError.HostCallError> => {
  if (Exit.isFailure(exit)) return instead(signature, errorOf(signature.name, exit.cause), onUnheard, use)
  const { value } = exit
  if (value instanceof Uint8Array) {
    if (value.length <= valueBytes) return Result.succeed(use(value, value.length))
    return instead(signature, tooLarge(signature.name, value.length, valueBytes), onUnheard, use)
  }
  const writer = Codec.scratch()
  try {
    const refused = value.codec.writeAnswer(value.answer, writer)
    if (refused === undefined && writer.size <= valueBytes) return Result.succeed(use(writer.bytes, writer.size))
    const error =
      refused === undefined
        ? tooLarge(signature.name, writer.size, valueBytes)
        : HostFunction.answerRefused(signature.name, refused)
    return instead(signature, error, onUnheard, use)
  } finally {
    Codec.giveBack(writer)
  }
}

/** The answer as bytes of its own. */
export const bytesOf = (
  signature: Signature,
  exit: HostExit,
  valueBytes: number,
  onUnheard: OnUnheard
): Result.Result<Uint8Array, HostCallError.HostCallError> =>
  write(signature, exit, valueBytes, onUnheard, (bytes, size) =>
    Exit.isSuccess(exit) && exit.value === bytes ? bytes : bytes.slice(0, size)
  )

/** The Err that its contract names. */
const instead = <A>(
  { onInterrupt }: Signature,
  error: HostCallError.HostCallError,
  onUnheard: OnUnheard,
  use: (bytes: Uint8Array, size: number) => A
): Result.Result<A, HostCallError.HostCallError> => {
  if (onInterrupt === undefined) return Result.fail(error)
  // Neither is news to whoever interrupted the call, or closed the guest.
  if (error.reason._tag !== "Interrupted" && error.reason._tag !== "Closed") onUnheard(error)
  return Result.succeed(use(onInterrupt, onInterrupt.length))
}

const errorOf = (name: string, cause: Cause.Cause<HostCallError.HostCallError>): HostCallError.HostCallError => {
  const error = Cause.findError(cause)
  return Result.isSuccess(error) ? error.success : HostCallError.fromCause(name, error.failure)
}

const tooLarge = (name: string, size: number, valueBytes: number): HostCallError.HostCallError =>
  new HostCallError.HostCallError({
    function: name,
    reason: new HostCallError.AnswerRefused({
      path: "",
      detail: `it is ${size} bytes long, and its guest takes at most ${valueBytes}`
    })
  })
