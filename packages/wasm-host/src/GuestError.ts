/**
 * Everything that can go wrong between a caller and a guest, as one error with a closed set of reasons.
 *
 * A typed failure of the guest function itself (its contract's `error`) is not here: it arrives beside this error in
 * the call's error channel. Every reason says what happened; `message` adds where, and what to do about it.
 */
import { isA } from "@fiberhost/core/Foreign"
import { HostCallError } from "@fiberhost/core/HostCallError"
import { describeLoss } from "@fiberhost/core/Thread"
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

// Loading

/** The bytes could not be read: `source` names the file. */
export class ModuleUnreadable extends Schema.TaggedError<ModuleUnreadable>()("ModuleUnreadable", {
  source: Schema.String,
  detail: Schema.String
}) {}

/** The bytes are not a WebAssembly module, or the engine refuses to compile it. */
export class InvalidModule extends Schema.TaggedError<InvalidModule>()("InvalidModule", { detail: Schema.String }) {}

/** The memory of the module cannot be limited to `limit` bytes; `detail` says why, and what to do about it. */
export class MemoryLimitRefused extends Schema.TaggedError<MemoryLimitRefused>()("MemoryLimitRefused", {
  limit: Schema.Number,
  detail: Schema.String
}) {}

/** One import or export that is not what the contract says. */
export const LinkProblem = Schema.Struct({ name: Schema.String, detail: Schema.String })
export type LinkProblem = typeof LinkProblem.Type

/** The module is not a plugin of this contract: what it lacks, or has with another signature. */
export class LinkMismatch extends Schema.TaggedError<LinkMismatch>()("LinkMismatch", {
  problems: Schema.Array(LinkProblem)
}) {}

/** The engine could not make an instance: no memory or address space, or the module's start function trapped. */
export class InstantiationFailed extends Schema.TaggedError<InstantiationFailed>()("InstantiationFailed", {
  detail: Schema.String
}) {}

/** The module leaves these functions of its contract out: at load when they are required, or when one is called. */
export class MissingExports extends Schema.TaggedError<MissingExports>()("MissingExports", {
  names: Schema.Array(Schema.String)
}) {}

// Room

/** The executor has no room, and its `whenFull` says to fail. `capacity`: calls that may wait. */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { capacity: Schema.Number }) {}

/** A synchronous twin was called when the guest could not answer at once. */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

/** The guest or its executor was closed before the call settled, or before it began. */
export class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

/** One for all: guests are closed as often as they are made, and an error's stack costs more than that. */
export const closed: Closed = new Closed()

// Time

/**
 * Where a call is: it has not begun (it waits for room, for its turn or for an instance); it is off the guest's stack and a
 * host function of its has not ended (`host`); or the guest has it, on the stack or for whatever else it waits.
 */
export const Phase = Schema.Literals(["waiting", "guest", "host"])
export type Phase = typeof Phase.Type

/**
 * The call had no answer by its deadline, and the guest no longer works for it. `phase` is where it was then; the times
 * are what it had spent in each, in milliseconds, with what it spent before it was begun again.
 */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  phase: Phase,
  waiting: Schema.Number,
  inGuest: Schema.Number,
  inHost: Schema.Number
}) {}

// Values

/** The caller's value does not fit the contract. `path` begins with the argument's name. */
export class ValueRefused extends Schema.TaggedError<ValueRefused>()("ValueRefused", {
  path: Schema.String,
  detail: Schema.String
}) {}

/**
 * A value is longer than it may be: an argument, whose name `path` begins with, or the guest's answer, where `path` is
 * empty. `limit`: in bytes, as encoded.
 */
export class ValueTooLarge extends Schema.TaggedError<ValueTooLarge>()("ValueTooLarge", {
  path: Schema.String,
  limit: Schema.Number
}) {}

/** The guest answered bytes that are not a value of the contract's schema. */
export class AnswerRefused extends Schema.TaggedError<AnswerRefused>()("AnswerRefused", {
  path: Schema.String,
  detail: Schema.String
}) {}

// Running

/** The guest's own fault: it panicked, or ran into a trap. `logged` is the last line it logged in this call. */
export class Trapped extends Schema.TaggedError<Trapped>()("Trapped", {
  detail: Schema.String,
  logged: Schema.optionalKey(Schema.String),
  /** Host functions that this call was waiting for when it trapped. */
  pending: Schema.Number
}) {}

/** The guest broke the ABI: a pointer outside its memory, an answer to no call. */
export class ProtocolViolation extends Schema.TaggedError<ProtocolViolation>()("ProtocolViolation", {
  detail: Schema.String
}) {}

/** The guest has no memory left for a value of this many bytes. */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>()("OutOfMemory", { bytes: Schema.Number }) {}

/** A host function that this call waits for gave no answer, and its contract names no Err for that. */
export class HostFunctionFailed extends Schema.TaggedError<HostFunctionFailed>()("HostFunctionFailed", {
  error: HostCallError
}) {}

/**
 * A sync host function called what waits for it: its own guest or, on a thread, any guest of that thread, also one that is
 * loaded there.
 */
export class WouldDeadlock extends Schema.TaggedError<WouldDeadlock>()("WouldDeadlock", {
  hostFunction: Schema.String
}) {}

/** An `onReplace` called the plugin whose replacement waits for it, and not the one that it was given. */
export class WaitsForItself extends Schema.TaggedError<WaitsForItself>()("WaitsForItself", {}) {}

/** The instance is dead, because the call of `by` killed it; `detail` says how. It is not entered again. */
export class Poisoned extends Schema.TaggedError<Poisoned>()("Poisoned", {
  by: Schema.String,
  detail: Schema.String
}) {}

/**
 * The thread that the guest lived on ended: it was terminated, crashed, or ran out of memory. The guest and its state
 * are gone. `lastRan` is the guest function that was called last there, often the one at fault.
 */
export class ThreadLost extends Schema.TaggedError<ThreadLost>()("ThreadLost", {
  thread: Schema.String,
  exitCode: Schema.optionalKey(Schema.Number),
  detail: Schema.String,
  lastRan: Schema.optionalKey(Schema.String)
}) {}

/** A replacement is not used, because the plugin's `onReplace` failed on it; `detail` says with what. */
export class OnReplaceFailed extends Schema.TaggedError<OnReplaceFailed>()("OnReplaceFailed", {
  detail: Schema.String
}) {}

/** The guest died, and its supervisor replaces it no more. `detail` is why it died last. */
export class GaveUp extends Schema.TaggedError<GaveUp>()("GaveUp", { detail: Schema.String }) {}

export const Reason = Schema.Union([
  ModuleUnreadable,
  InvalidModule,
  MemoryLimitRefused,
  LinkMismatch,
  InstantiationFailed,
  MissingExports,
  NoRoom,
  Busy,
  Closed,
  DeadlineExceeded,
  ValueRefused,
  ValueTooLarge,
  AnswerRefused,
  Trapped,
  ProtocolViolation,
  OutOfMemory,
  HostFunctionFailed,
  WouldDeadlock,
  WaitsForItself,
  Poisoned,
  ThreadLost,
  OnReplaceFailed,
  GaveUp
])
export type Reason = typeof Reason.Type

/** A plugin could not be loaded, or a call of a guest function failed for a reason that its contract does not name. */
export class GuestError extends Schema.TaggedError<GuestError>()("GuestError", {
  plugin: Schema.String,
  /** The guest function that was called; absent while loading. */
  function: Schema.optionalKey(Schema.String),
  reason: Reason
}) {
  override get message(): string {
    const where = this.function === undefined ? this.plugin : `${this.plugin}.${this.function}`
    return `${where}: ${describe(this.reason)}`
  }
}

/** Why a call failed, if not for a reason of its contract's, nor of a bug. */
export const reasonOf = ({ cause }: Exit.Failure<unknown, unknown>): Reason | undefined => {
  const error = Cause.findError(cause)
  return Result.isSuccess(error) && isA(error.success, GuestError) ? error.success.reason : undefined
}

/**
 * What ends an entry from inside: thrown by the host through guest frames on purpose, or by the allocator's callers.
 * It never leaves this package: who entered the guest turns it into a `GuestError`.
 */
export class GuestFault {
  readonly reason: Reason
  constructor(reason: Reason) {
    this.reason = reason
  }

  toString(): string {
    return describe(this.reason)
  }
}

/** One sentence of what happened and one of what to do. */
export const describe = (reason: Reason): string => {
  switch (reason._tag) {
    case "ModuleUnreadable":
      return `cannot read ${reason.source}: ${reason.detail}`
    case "InvalidModule":
      return `not a WebAssembly module that this engine compiles: ${reason.detail}`
    case "MemoryLimitRefused":
      return `the guest's memory cannot be limited to ${reason.limit} bytes: ${reason.detail}`
    case "LinkMismatch":
      return (
        "the module is not a plugin of this contract: " +
        reason.problems
          .slice(0, mostProblems)
          .map(({ detail, name }) => `${name}: ${detail}`)
          .join("; ") +
        (reason.problems.length > mostProblems ? `; and ${reason.problems.length - mostProblems} more` : "")
      )
    case "InstantiationFailed":
      return `no instance could be made: ${reason.detail}`
    case "MissingExports":
      return `the plugin leaves out ${reason.names.join(", ")}. Build the plugin with it, or do without`
    case "NoRoom":
      return `no room: ${reason.capacity} calls are waiting already. Raise the executor's capacity, or let it suspend`
    case "Busy":
      return "the guest cannot answer at once: it is on the stack, on another thread, or being replaced, or its executor is full. Call the function as an Effect"
    case "Closed":
      return "the guest is closed"
    case "DeadlineExceeded":
      return (
        `no answer by the deadline, ${where[reason.phase]}: ${milliseconds(reason.waiting)} waiting, ` +
        `${milliseconds(reason.inGuest)} in the guest, ${milliseconds(reason.inHost)} in host functions. ${help[reason.phase]}`
      )
    case "OnReplaceFailed":
      return `a replacement could not be prepared, onReplace failed: ${reason.detail}`
    case "GaveUp":
      return `the guest died and is not replaced any more: load the plugin again. The last time: ${reason.detail}`
    case "ValueRefused":
      return `the value does not fit the contract${at(reason.path)}: ${reason.detail}`
    case "ValueTooLarge":
      return `${reason.path === "" ? "the guest's answer" : `the value at ${reason.path}`} is longer than ${reason.limit} bytes. Pass it in parts`
    case "AnswerRefused":
      return `the guest's answer does not fit the contract${at(reason.path)}: ${reason.detail}`
    case "Trapped":
      return (
        `the guest trapped (${reason.detail})` +
        (reason.logged === undefined ? "" : `, having logged: ${reason.logged}`) +
        (reason.pending > joinLimit ? `. ${joinHelp}` : "")
      )
    case "ProtocolViolation":
      return `the guest broke the plugin ABI: ${reason.detail}`
    case "OutOfMemory":
      return `the guest has no memory left for a value of ${reason.bytes} bytes. Raise its limits.memory, if it has one, or recycle it`
    case "HostFunctionFailed":
      return reason.error.message
    case "WouldDeadlock":
      return (
        `sync host function "${reason.hostFunction}" called a guest that cannot run until it has answered: its own, or one ` +
        "that is, or is about to be, on the same thread. Declare it async, or call a guest on another thread"
      )
    case "WaitsForItself":
      return "onReplace called the plugin whose replacement waits for it. Call the plugin that it is given"
    case "ThreadLost":
      return `${reason.thread} was lost with its guests: ${describeLoss(reason)}. ${loadAgain}`
    case "Poisoned":
      return `the instance is dead: the call of ${reason.by} killed it (${reason.detail}). ${loadAgain}`
  }
}

const where = {
  waiting: "while it waited for room, for its turn or for an instance",
  guest: "while the guest had it",
  host: "while a host function had it"
} as const

const help = {
  waiting: "Raise the executor's concurrency, add instances, or keep a replacement ready (supervisor.warm)",
  guest: "Give it more time, or less to do",
  host: "Look at what its host functions wait for"
} as const

/** Of a module that is no plugin at all, which may have a million. */
const mostProblems = 50

/** Whether the guest that died has a supervisor is not known here. */
const loadAgain = "Load the plugin again, unless a supervisor replaces its guest"

const milliseconds = (value: number): string => `${Math.round(value)} ms`

/** fp-bindgen-support joins through `futures::join_all`, which wakes itself above this many futures. */
const joinLimit = 30
const joinHelp =
  "It was waiting for more than 30 host functions: a guest built on the published fp-bindgen-support crate " +
  'traps ("already borrowed") when it joins more than 30 futures with join_all. Join them in smaller groups'

const at = (path: string): string => (path === "" ? "" : ` at ${path}`)
