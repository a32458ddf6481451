/** What a thread and its owner tell each other beside calls: numbers of the wire's `signal` frames, and their values. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Codec from "../../Codec.ts"
import { CodecFailure } from "../../CodecError.ts"
import { SharedMemory, SharedMemoryBeside } from "../../SharedMemory.ts"

/** To the thread: end. It interrupts what it runs, runs its finalizers and exits. */
export const close = 1

/** From the thread: it takes calls; it could not begin; a line of its log. */
export const ready = 2
export const startFailed = 3
export const log = 4

/** To the thread: let a caller on another thread in; shut him out. From it: he is let in; one of his calls is answered. */
export const admit = 5
export const dismiss = 6
export const admitted = 7
export const room = 8

/** To the thread: say on the board that you have heard this. */
export const ask = 9

/** `name` is the door's; `bell` the memory that wakes the caller: see `Bell`. */
export const Admission = Schema.Struct({
  name: Schema.String,
  bell: SharedMemoryBeside
})
export type Admission = typeof Admission.Type
export const admissionCodec = Codec.make(Admission)

export const detailCodec = Codec.make(Schema.String)

export const LogRecord = Schema.Struct({
  level: Schema.Literals(["Fatal", "Error", "Warn", "Info", "Debug", "Trace"]),
  messages: Schema.Array(Schema.String),
  annotations: Schema.Record(Schema.String, Schema.String),
  /** When each span of the log began, in milliseconds since the epoch. */
  spans: Schema.Record(Schema.String, Schema.Number)
})
export type LogRecord = typeof LogRecord.Type
export const logCodec = Codec.make(LogRecord)

/** What a thread is started with. */
export const Start = Schema.Struct({
  /** The contract that it is to serve. */
  contract: Schema.String,
  /** Its functions: `FunctionCodec.signaturesOf`. */
  functions: Schema.Array(Schema.String),
  /** MessagePack of the contract's initial value. */
  initial: Schema.Uint8Array,
  logLevel: Schema.Literals(["All", "Fatal", "Error", "Warn", "Info", "Debug", "Trace", "None"]),
  /** The pool's board, and the thread's place on it. */
  board: SharedMemory,
  slot: Schema.Number,
  generation: Schema.Number,
  /** See `WaitsFor`. */
  waits: SharedMemory
})
export type Start = typeof Start.Type

export const encode = <A>(codec: Codec.Codec<A>, value: A): Uint8Array =>
  Result.getOrThrow(Codec.encodeToBytes(codec, value))

/** Throws a `CodecFailure`: what the other side sent is no such signal. */
export const decode = <A>(codec: Codec.Codec<A>, bytes: Uint8Array): A => read(codec, new Codec.Reader(bytes))

/** As `decode`, from the reader's window. */
export const read = <A>(codec: Codec.Codec<A>, reader: Codec.Reader): A => {
  const value = codec.decodeWindow(reader)
  if (Result.isSuccess(value)) return value.success
  throw new CodecFailure({ _tag: "Malformed", offset: 0, message: value.failure.message })
}
