/**
 * Why a host function gave no answer.
 *
 * A host function's own, typed failure is an answer (the contract's `error`) and never arrives here. This error is
 * what is left: the function could not be started, its answer could not travel, or it ended without one. It is the
 * error channel of a host function's byte face, and is added to the typed face of a function that a host pool runs.
 */
import * as Cause from "effect/Cause"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Codec from "./Codec.ts"
import { isA, textOf } from "./Foreign.ts"
import { describeLoss } from "./Thread.ts"

/** The pool had no room, and the caller had asked not to wait. `capacity`: tasks that may wait. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { capacity: Schema.Number }) {}

/** What runs the function, or the guest that called it, was closed before it answered. */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

/** The function was interrupted from its own side, so there is no answer. */
export class Interrupted extends Schema.TaggedError<Interrupted>()("Interrupted", {}) {}

/** What a function died of: anything. Between threads it travels as its name, message and stack, and arrives as an `Error`. */
const Died: Schema.declare<unknown> = Schema.declare((_): _ is unknown => true).annotate({
  toCodec: () =>
    Schema.link<unknown>()(Schema.Struct({ name: Schema.String, message: Schema.String, stack: Schema.String }), {
      decode: SchemaGetter.transform(({ message, name, stack }) => Object.assign(new Error(message), { name, stack })),
      encode: SchemaGetter.transform(partsOf)
    })
})

/** A bug in the function: it died. `cause` is what it died of. */
export class Defect extends Schema.TaggedError<Defect>()("Defect", { cause: Died }) {}

/**
 * The thread that ran the function ended. `lastRan` is the function that it began last, often the one at fault. The
 * function may have run in part.
 */
export class ThreadLost extends Schema.TaggedError<ThreadLost>()("ThreadLost", {
  thread: Schema.String,
  exitCode: Schema.optionalKey(Schema.Number),
  detail: Schema.String,
  lastRan: Schema.optionalKey(Schema.String)
}) {}

/** No thread is left to run the function, and the pool's policy starts no more. `detail` says how the last one ended. */
export class NoThread extends Schema.TaggedError<NoThread>()("NoThread", { detail: Schema.String }) {}

/** The caller's arguments do not fit the contract's payload schema. `path` names the argument. */
export class ArgumentsRefused extends Schema.TaggedError<ArgumentsRefused>()("ArgumentsRefused", {
  path: Schema.String,
  detail: Schema.String
}) {}

/** The function's answer does not fit the contract's schema for it. `path` names the part that does not. */
export class AnswerRefused extends Schema.TaggedError<AnswerRefused>()("AnswerRefused", {
  path: Schema.String,
  detail: Schema.String
}) {}

/** Its guest has so many host functions that have not ended, as many as it may. */
export class TooManyHostCalls extends Schema.TaggedError<TooManyHostCalls>()("TooManyHostCalls", {
  limit: Schema.Number
}) {}

/** A sync host function did not finish while the guest waited on the stack. */
export class Unfinished extends Schema.TaggedError<Unfinished>()("Unfinished", {}) {}

export const Reason = Schema.Union([
  NoRoom,
  Closed,
  Interrupted,
  Defect,
  ArgumentsRefused,
  AnswerRefused,
  Unfinished,
  TooManyHostCalls,
  ThreadLost,
  NoThread
])
export type Reason = typeof Reason.Type

/** A host function gave no answer; `function` is its tag, `reason` says why. */
export class HostCallError extends Schema.TaggedError<HostCallError>()("HostCallError", {
  function: Schema.String,
  reason: Reason
}) {
  override get message(): string {
    return `host function "${this.function}" ${describe(this.reason)}`
  }
}

/** What a cause says: an error of its own, or that the host function died or was interrupted. */
export const fromCause = (name: string, cause: Cause.Cause<HostCallError>): HostCallError => {
  const error = Cause.findError(cause)
  if (Result.isSuccess(error)) return error.success
  return Cause.hasDies(cause) ? fromDefect(name, Cause.squash(cause)) : interrupted(name)
}

/** The function was interrupted before it answered. */
export const interrupted = (name: string): HostCallError =>
  new HostCallError({ function: name, reason: new Interrupted() })

/** The caller's arguments do not fit the contract. */
export const argumentsRefused = (name: string, { detail, path }: Misfit): HostCallError =>
  new HostCallError({ function: name, reason: new ArgumentsRefused({ path, detail }) })

/** The function's answer does not fit the contract. */
export const answerRefused = (name: string, { detail, path }: Misfit): HostCallError =>
  new HostCallError({ function: name, reason: new AnswerRefused({ path, detail }) })

/** What is wrong with a value. `path` leads to the part, and is empty when that is all of it. */
type Misfit = Pick<Codec.CodecError, "detail" | "path">

/** The function has a bug: it died of `cause`. */
export const fromDefect = (name: string, cause: unknown): HostCallError =>
  new HostCallError({ function: name, reason: new Defect({ cause }) })

const codec = Codec.make(HostCallError)

/** To another thread. An error that does not fit has a part that is no error's: it is a bug, and says so. */
export const encode = (error: HostCallError): Uint8Array => {
  const bytes = Codec.encodeToBytes(codec, error)
  if (Result.isSuccess(bytes)) return bytes.success
  const defect = fromDefect(functionOf(error), new Error(bytes.failure.message))
  return Result.getOrThrow(Codec.encodeToBytes(codec, defect))
}

/** Which function it says it is of, if that can be read. */
const functionOf = (error: HostCallError): string => {
  try {
    return textOf(error.function)
  } catch {
    return ""
  }
}

/** From another thread: why `name` gave no answer. */
export const decode = (name: string, bytes: Uint8Array): HostCallError => {
  const error = Codec.decodeFromBytes(codec, bytes)
  return Result.isSuccess(error) ? error.success : fromDefect(name, error.failure)
}

const describe = (reason: Reason): string => {
  switch (reason._tag) {
    case "NoRoom":
      return `was not started: ${reason.capacity} calls are waiting already. Raise the pool's capacity, or wait for room`
    case "Closed":
      return "was not answered: its pool, or the guest that called it, is closed"
    case "Interrupted":
      return "was interrupted before it answered"
    case "Defect":
      return `failed with a defect: ${defectText(reason.cause)}`
    case "ArgumentsRefused":
      return `was not started: its arguments do not fit the contract${at(reason.path)}: ${reason.detail}`
    case "AnswerRefused":
      return `gave an answer that does not fit the contract${at(reason.path)}: ${reason.detail}`
    case "Unfinished":
      return (
        "did not finish synchronously. The guest waits for it on this thread's stack, so its Effect must not wait: " +
        "declare the function async (Rpc.make) in the contract and in the guest, make its Effect synchronous, or run the " +
        "guest on a thread of its own, which may wait (NodeGuestThread.layer)"
      )
    case "TooManyHostCalls":
      return `was not started: its guest has ${reason.limit} host functions that have not ended, as many as it may. Raise limits.hostCalls, or let it wait for those that it has`
    case "ThreadLost":
      return `was not answered: ${reason.thread} was lost: ${describeLoss(reason)}`
    case "NoThread":
      return `was not run: no thread of its pool is left, and none is started any more. The last one ${reason.detail}`
  }
}

const defectText = (cause: unknown): string => {
  const { message, name } = partsOf(cause)
  return isA(cause, Error) ? `${name}: ${message}` : message
}

/** What a function died of, as far as it can be read. */
function partsOf(cause: unknown): { readonly name: string; readonly message: string; readonly stack: string } {
  try {
    if (cause instanceof Error) {
      return { name: textOf(cause.name), message: textOf(cause.message), stack: textOf(cause.stack) }
    }
  } catch {
    // It, or a getter of its, cannot be read.
  }
  return { name: "Error", message: textOf(cause), stack: "" }
}

const at = (path: string): string => (path === "" ? "" : ` at ${path}`)
