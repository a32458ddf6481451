/**
 * Why a host function gave no answer.
 *
 * A host function's own, typed failure is an answer (the contract's `error`) and never arrives here. This error is
 * what is left: the function could not be started, its answer could not travel, or it ended without one. It is the
 * error channel of a host function's byte face, and is added to the typed face of a function that a host pool runs.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

/** The pool had no room, and the caller had asked not to wait. `capacity`: tasks that may wait. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { capacity: Schema.Number }) {}

/** The pool was closed before the function answered. */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

/** The function was interrupted from its own side, so there is no answer. */
export class Interrupted extends Schema.TaggedError<Interrupted>()("Interrupted", {}) {}

/** A bug in the function: it died. `cause` is what it died of. */
export class Defect extends Schema.TaggedError<Defect>()("Defect", { cause: Schema.Defect() }) {}

/** The arguments that the guest sent do not fit the contract's payload schema. `path` names the argument. */
export class ArgumentsRefused extends Schema.TaggedError<ArgumentsRefused>()("ArgumentsRefused", {
  path: Schema.String,
  detail: Schema.String
}) {}

/** The function's answer does not fit the contract's schema for it. `path` names the part that does not. */
export class AnswerRefused extends Schema.TaggedError<AnswerRefused>()("AnswerRefused", {
  path: Schema.String,
  detail: Schema.String
}) {}

/** A sync host function did not finish while the guest waited on the stack. */
export class Unfinished extends Schema.TaggedError<Unfinished>()("Unfinished", {}) {}

export const Reason = Schema.Union([NoRoom, Closed, Interrupted, Defect, ArgumentsRefused, AnswerRefused, Unfinished])
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

/** What a cause without a typed failure says: the host function died or was interrupted. */
export const fromCause = (name: string, cause: Cause.Cause<never>): HostCallError =>
  new HostCallError({
    function: name,
    reason: Cause.hasDies(cause) ? new Defect({ cause: Cause.squash(cause) }) : new Interrupted()
  })

const describe = (reason: Reason): string => {
  switch (reason._tag) {
    case "NoRoom":
      return `was not started: ${reason.capacity} calls are waiting already. Raise the pool's capacity, or wait for room`
    case "Closed":
      return "was not answered: its pool is closed"
    case "Interrupted":
      return "was interrupted before it answered"
    case "Defect":
      return `failed with a defect: ${
        reason.cause instanceof Error ? `${reason.cause.name}: ${reason.cause.message}` : String(reason.cause)
      }`
    case "ArgumentsRefused":
      return `was not started: its arguments do not fit the contract${at(reason.path)}: ${reason.detail}`
    case "AnswerRefused":
      return `gave an answer that does not fit the contract${at(reason.path)}: ${reason.detail}`
    case "Unfinished":
      return (
        "did not finish synchronously. The guest waits for it on this thread's stack, so its Effect must not wait: " +
        "declare the function async (Rpc.make) in the contract and in the guest, or make its Effect synchronous"
      )
  }
}

const at = (path: string): string => (path === "" ? "" : ` at ${path}`)
