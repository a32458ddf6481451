/**
 * Why a caller that blocks its thread has no answer, and no `HostCallError` either: the call may be going on.
 */
import * as Schema from "effect/Schema"

/** Every thread has `concurrency` calls, and the caller had asked not to wait. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { concurrency: Schema.Number }) {}

/**
 * There was no room, or no answer, in time. `milliseconds` is the time that was given; `goesOn` says whether the call does, or was
 * interrupted.
 */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  waitedFor: Schema.Literals(["room", "reply"]),
  milliseconds: Schema.Number,
  goesOn: Schema.Boolean
}) {}

/** The calling thread would have waited for what only itself can do, and does not. A call that was spawned goes on. */
export class WouldDeadlock extends Schema.TaggedError<WouldDeadlock>()("WouldDeadlock", { detail: Schema.String }) {}

/** The handle was released, here or where it was made, or because its channel broke. Its calls are interrupted. */
export class Released extends Schema.TaggedError<Released>()("Released", {}) {}

/** The handle cannot be opened. */
export class HandleRefused extends Schema.TaggedError<HandleRefused>()("HandleRefused", { detail: Schema.String }) {}

export const Reason = Schema.Union([NoRoom, TimedOut, WouldDeadlock, Released, HandleRefused])
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
    case "NoRoom":
      return (
        `was not started: every thread has ${reason.concurrency} calls already. ` +
        "Wait with spawnBlocking, or raise the pool's concurrency or its size"
      )
    case "TimedOut":
      if (reason.waitedFor === "room") return `was not started: there was no room in ${reason.milliseconds} ms`
      return `was not answered in ${reason.milliseconds} ms${
        reason.goesOn
          ? ". It goes on: recv again, or dispose of its receiver to interrupt it"
          : ", and was interrupted. Give it more time"
      }`
    case "WouldDeadlock":
      return `would never be answered: ${reason.detail}`
    case "Released":
      return "is not answered: its handle was released"
    case "HandleRefused":
      return `cannot be opened: ${reason.detail}`
  }
}
