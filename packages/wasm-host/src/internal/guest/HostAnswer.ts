/**
 * What a guest is told of a host function that ended: its answer, or, when it has none, the interruption Err that its
 * contract names.
 */
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Signature } from "../module/Signature.ts"

/** How a host function ended: one MessagePack value, or why there is none. */
export type HostExit = Exit.Exit<Uint8Array, HostCallError.HostCallError>

/** `valueBytes`: the longest that the guest takes. A function that failed behind such an Err is logged in `context`, for nobody else would hear of it. */
export const answerOf = (
  { name, onInterrupt }: Signature,
  exit: HostExit,
  valueBytes: number,
  context: () => Context.Context<never>
): Result.Result<Uint8Array, HostCallError.HostCallError> => {
  const error = Exit.isSuccess(exit) ? tooLarge(name, exit.value, valueBytes) : errorOf(name, exit.cause)
  if (error === undefined) return Result.succeed((exit as Exit.Success<Uint8Array>).value)
  if (onInterrupt === undefined) return Result.fail(error)
  // Neither is news to whoever interrupted the call, or closed the guest.
  if (error.reason._tag !== "Interrupted" && error.reason._tag !== "Closed")
    Effect.runForkWith(context())(Effect.logError(error))
  return Result.succeed(onInterrupt)
}

const errorOf = (name: string, cause: Cause.Cause<HostCallError.HostCallError>): HostCallError.HostCallError => {
  const error = Cause.findError(cause)
  return Result.isSuccess(error) ? error.success : HostCallError.fromCause(name, error.failure)
}

const tooLarge = (name: string, value: Uint8Array, valueBytes: number): HostCallError.HostCallError | undefined =>
  value.byteLength <= valueBytes
    ? undefined
    : new HostCallError.HostCallError({
        function: name,
        reason: new HostCallError.AnswerRefused({
          path: "",
          detail: `it is ${value.byteLength} bytes long, and its guest takes at most ${valueBytes}`
        })
      })
