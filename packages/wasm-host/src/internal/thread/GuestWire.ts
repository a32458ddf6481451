/**
 * What an executor and a guest's thread say to each other, beside calls of guest functions and of host functions.
 *
 * On the wire's `call` frames `target` is a guest's number; 0 is the thread itself, whose functions are `control`. From
 * the thread, `caller` is the id of the guest call that a host function is called for, or 0. A guest call that cannot be
 * answered fails with `failure`; a host function with a `HostCallError`.
 */
import * as Codec from "@fiberhost/core/Codec"
import type { CodecError } from "@fiberhost/core/CodecError"
import * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as HostCallError from "@fiberhost/core/HostCallError"
import { SharedMemory, SharedMemoryBeside } from "@fiberhost/core/SharedMemory"
import * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { U32 } from "../../Abi.ts"
import * as GuestError from "../../GuestError.ts"

/** Signals: to the thread, that it should end; from it, that it takes guests. */
export const close = 1
export const ready = 2
/** From the thread: when each entry of a guest call began and ended. */
export const entries = 3

const Entries = Schema.Struct({ call: U32, spans: Schema.Array(Schema.Tuple([Schema.Number, Schema.Number])) })
export const entriesCodec = Codec.make(Entries)

/** From the thread: why a host function has no answer whose guest was told the Err that its contract names. */
export const unheard = 4

const Unheard = Schema.Struct({
  guest: U32,
  /** The guest call that it was for, or 0. */
  call: U32,
  function: Schema.String,
  error: Schema.Uint8Array
})
export const unheardCodec = Codec.make(Unheard)

/**
 * A host function without a result: its guest does not look at its answer, and does not wait for it, unless the frame is
 * also blocking: every so often it is, so that a guest which only logs does not fill the owner's memory.
 */
export const unansweredFlag = 4

/** A guest call whose use of the guest is written into the `CallTable`. */
export const measuredFlag = 8

/** A guest call whose entries are told of before it is answered: the signal `entries`. */
export const observedFlag = 16

const Kind = Schema.Literals(["bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64", "bytes"])

const Signature = Schema.Struct({
  name: Schema.String,
  sync: Schema.Boolean,
  arguments: Schema.Array(Kind),
  result: Schema.Union([Kind, Schema.Literal("void")]),
  onInterrupt: Schema.UndefinedOr(Schema.Uint8Array)
})

const Module = Codec.cloned((it): it is WebAssembly.Module => it instanceof WebAssembly.Module, "a WebAssembly module")

const Load = Schema.Struct({
  guest: U32,
  plugin: Schema.String,
  imports: Schema.Array(Signature),
  exports: Schema.Array(Signature),
  /** What `PluginModule` has: the compiled code, the names of its imports, and whether their types were checked. */
  module: Module,
  moduleImports: Schema.Array(Schema.String),
  signaturesChecked: Schema.Boolean,
  /** `GuestLimits`; Infinity is no limit. */
  limits: Schema.Struct({ hostCalls: Schema.Number, valueBytes: Schema.Number }),
  /** Where the guest's statistics are kept: see `SharedStats`. */
  stats: SharedMemoryBeside
})
export type Load = typeof Load.Type

/** `except`: ids of host calls that are not waited for, because they wait for the close. */
const Unload = Schema.Struct({ guest: U32, except: Schema.Array(U32) })
export type Unload = typeof Unload.Type

export const control = {
  load: FunctionCodec.make(Rpc.make("load", { payload: Load.fields, error: GuestError.Reason })),
  unload: FunctionCodec.make(Rpc.make("unload", { payload: Unload.fields })),
  /** Says that the thread has come to it. */
  receipt: FunctionCodec.make(Rpc.make("receipt"))
} as const

/** Their numbers. */
export const controls: ReadonlyArray<FunctionCodec.FunctionCodec> = [control.load, control.unload, control.receipt]

/** Why a guest call has no answer, and what became of its guest. */
const Failure = Schema.Struct({
  /** A reason of the guest's, or a bug of the host's. */
  reason: Schema.Union([GuestError.Reason, HostCallError.Defect]),
  /** Whether the guest was entered for the call: if not, another one can be. */
  hasBegun: Schema.Boolean,
  /** Why the guest takes no more calls. */
  dead: Schema.optionalKey(GuestError.Reason)
})
export type Failure = typeof Failure.Type

const failureCodec = Codec.make(Failure)

/** An error that does not fit has a part that is no error's: it is a bug, and says so. */
export const encodeFailure = (failure: Failure): Uint8Array => {
  const bytes = Codec.encodeToBytes(failureCodec, failure)
  return Result.isSuccess(bytes) ? bytes.success : encodeFailure(bugOf(bytes.failure))
}

export const decodeFailure = (bytes: Uint8Array): Failure => {
  const failure = Codec.decodeFromBytes(failureCodec, bytes)
  return Result.isSuccess(failure) ? failure.success : bugOf(failure.failure)
}

const bugOf = ({ message }: CodecError): Failure => ({
  reason: new HostCallError.Defect({ cause: new Error(message) }),
  hasBegun: true
})

/** The words of `Start.ran`: the guest and, plus one, the function that began last. */
export const ran = { guest: 0, function: 1 } as const

/** What a thread is started with. */
export const Start = Schema.Struct({
  fiberhost: Schema.Literal("guests"),
  calls: SharedMemory,
  reply: SharedMemory,
  ran: SharedMemory
})
export type Start = typeof Start.Type
