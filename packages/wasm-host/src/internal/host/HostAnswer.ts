/**
 * What a guest is told of a host function that ended: its answer, or, when it has none, the interruption Err that its
 * contract names.
 */
import * as Codec from "@fiberhost/core/Codec"
import type { FunctionCodec } from "@fiberhost/core/FunctionCodec"
import * as HostCallError from "@fiberhost/core/HostCallError"
import type * as HostFunction from "@fiberhost/core/HostFunction"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Signature } from "../module/Signature.ts"

/** How a host function ended: its answer, as one MessagePack value or not written yet, or why there is none. */
export type HostExit = Exit.Exit<Uint8Array | Unwritten, HostCallError.HostCallError>

/** A value of the contract, which its codec has not checked. */
class Unwritten {
  readonly codec: FunctionCodec
  readonly answer: HostFunction.Answer

  constructor(codec: FunctionCodec, answer: HostFunction.Answer) {
    this.codec = codec
    this.answer = answer
  }
}

/** What a host function answers when what was run for it has ended so. */
export const finished = ({
  codec,
  values
}: HostFunction.Implementation): ((exit: Exit.Exit<unknown, unknown>) => HostExit) => {
  // It has run elsewhere, and its byte face has this exit.
  if (values === undefined) return (exit) => exit as HostExit
  const { settle } = values
  return (exit) => {
    if (Exit.isSuccess(exit)) return Exit.succeed(new Unwritten(codec, Result.succeed(exit.value)))
    const answer = settle(exit)
    return Exit.isSuccess(answer) ? Exit.succeed(new Unwritten(codec, answer.value)) : Exit.failCause(answer.cause)
  }
}

/** Who takes the answer to the guest. */
export interface Recipient {
  /** The longest answer that the guest takes, in bytes. */
  readonly valueBytes: number
  /** The answer as MessagePack: the first `size` of `bytes`, and perhaps a view of them, which are his for as long as this runs. */
  receive(bytes: Uint8Array, size: number, view?: DataView): void
  /** Why a function failed behind an interruption Err: its guest does not hear of that. */
  onUnheard(error: HostCallError.HostCallError): void
}

/** Gives the recipient the answer, or the Err in its place. Returns why there is neither. */
export const write = (
  signature: Signature,
  exit: HostExit,
  recipient: Recipient
): HostCallError.HostCallError | undefined => {
  if (Exit.isFailure(exit)) return instead(signature, HostCallError.fromCause(signature.name, exit.cause), recipient)
  const { value } = exit
  const { valueBytes } = recipient
  if (value instanceof Uint8Array) {
    if (value.length > valueBytes)
      return instead(signature, tooLarge(signature.name, value.length, valueBytes), recipient)
    recipient.receive(value, value.length)
    return undefined
  }
  const writer = Codec.scratch()
  try {
    const refused = value.codec.writeAnswer(value.answer, writer)
    if (refused !== undefined)
      return instead(signature, HostCallError.answerRefused(signature.name, refused), recipient)
    if (writer.size > valueBytes)
      return instead(signature, tooLarge(signature.name, writer.size, valueBytes), recipient)
    recipient.receive(writer.bytes, writer.size, writer.view)
    return undefined
  } finally {
    Codec.giveBack(writer)
  }
}

/** The answer as bytes of its own. */
export const bytesOf = (
  signature: Signature,
  exit: HostExit,
  { valueBytes, onUnheard }: Pick<Recipient, "valueBytes" | "onUnheard">
): Result.Result<Uint8Array, HostCallError.HostCallError> => {
  let answer: Uint8Array | undefined
  const refused = write(signature, exit, {
    valueBytes,
    onUnheard,
    receive(bytes, size) {
      answer = Exit.isSuccess(exit) && exit.value === bytes ? bytes : bytes.slice(0, size)
    }
  })
  return refused === undefined ? Result.succeed(answer!) : Result.fail(refused)
}

/** The Err that its contract names. */
const instead = (
  { onInterrupt }: Signature,
  error: HostCallError.HostCallError,
  recipient: Recipient
): HostCallError.HostCallError | undefined => {
  if (onInterrupt === undefined) return error
  // Neither is news to whoever interrupted the call, or closed the guest.
  if (error.reason._tag !== "Interrupted" && error.reason._tag !== "Closed") recipient.onUnheard(error)
  recipient.receive(onInterrupt, onInterrupt.length)
  return undefined
}

const tooLarge = (name: string, size: number, valueBytes: number): HostCallError.HostCallError =>
  HostCallError.answerRefused(name, {
    path: "",
    detail: `it is ${size} bytes long, and its guest takes at most ${valueBytes}`
  })
