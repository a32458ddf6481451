/**
 * Why a caller that blocks its thread has no answer, and no `HostCallError` either: the call may be going on.
 */
import * as Schema from "effect/Schema"

/** There was no room, or no answer, in time. `milliseconds` is the time that was given. A task whose answer was late goes on. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  waitedFor: Schema.Literals(["room", "reply"]),
  milliseconds: Schema.Number
}) {}

/** The calling thread would have waited for what only itself can do. Nothing was waited for; a task that was spawned goes on. */
export class WouldDeadlock extends Schema.TaggedError<WouldDeadlock>()("WouldDeadlock", { detail: Schema.String }) {}

/** The handle was released, here or where it was made. Its tasks were interrupted. */
export class Released extends Schema.TaggedError<Released>()("Released", {}) {}

/** The handle cannot be opened. */
export class HandleRefused extends Schema.TaggedError<HandleRefused>()("HandleRefused", { detail: Schema.String }) {}

export const Reason = Schema.Union([TimedOut, WouldDeadlock, Released, HandleRefused])
export type Reason = typeof Reason.Type

/** `function` is the tag of what was called, or the contract when it is about the handle. */
export class BlockingError extends Schema.TaggedError<BlockingError>()("BlockingError", {
  function: Schema.String,
  reason: Reason
}) {
  override get message(): string {
    return `"${this.function}" ${describe(this.reason)}`
  }
}

const describe = (reason: Reason): string => {
  switch (reason._tag) {
    case "TimedOut":
      return reason.waitedFor === "room"
        ? `was not started: there was no room in ${reason.milliseconds} ms`
        : `was not answered in ${reason.milliseconds} ms. It goes on: recv again, or dispose its receiver to interrupt it`
    case "WouldDeadlock":
      return `would never be answered: ${reason.detail}`
    case "Released":
      return "is not answered: its handle was released"
    case "HandleRefused":
      return `cannot be opened: ${reason.detail}`
  }
}
