/**
 * Caller's side: the codec of a guest function, between the values of its contract and the MessagePack that its guest
 * knows. What does not fit is a `GuestError`.
 */
import * as Codec from "@fiberhost/core/Codec"
import { type CodecError, toCodecError } from "@fiberhost/core/CodecError"
import { isA } from "@fiberhost/core/Foreign"
import * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as Wire from "@fiberhost/core/Wire"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as GuestError from "../../GuestError.ts"
import { type GuestMemory, TooLong } from "../memory/GuestMemory.ts"
import * as Signature from "../module/Signature.ts"
import type { Guest } from "./Guest.ts"
import { GuestArgument, Refused, valueRefused } from "./GuestArgument.ts"

/** How a call of it ended: its answer, its own failure, or a `GuestError`. */
export type TypedExit = Exit.Exit<unknown, unknown>

export class GuestCodec {
  readonly plugin: string
  readonly codec: FunctionCodec.FunctionCodec
  /** What a call fails with when the module leaves the function out. */
  readonly leftOut: Exit.Exit<never, GuestError.GuestError> | undefined

  private readonly valueBytes: number
  readonly signature: Signature.Signature
  private readonly arguments: ReadonlyArray<GuestArgument>
  /** Its only argument; undefined when it takes none, or several. */
  private readonly only: GuestArgument | undefined
  /** The answer of a raw one, where it needs no codec. */
  private readonly ofRaw: ((raw: number | bigint) => unknown) | undefined

  /** `valueBytes`: the longest argument that the guest takes. */
  constructor(
    plugin: string,
    codec: FunctionCodec.FunctionCodec,
    signature: Signature.Signature,
    missing: ReadonlyArray<string>,
    valueBytes: number
  ) {
    this.plugin = plugin
    this.signature = signature
    this.valueBytes = valueBytes
    this.codec = codec
    this.arguments = codec.arguments.map(
      (argument, i) => new GuestArgument(argument, this.signature.arguments[i]!, valueBytes)
    )
    this.only = this.arguments.length === 1 ? this.arguments[0] : undefined
    const { result } = this.signature
    this.ofRaw =
      result === "bytes" || result === "void" || codec.successKind === undefined ? undefined : Signature.valueOf(result)
    this.leftOut = missing.includes(codec.name)
      ? this.fail(new GuestError.MissingExports({ names: [codec.name] }))
      : undefined
  }

  fail(reason: GuestError.Reason): Exit.Exit<never, GuestError.GuestError> {
    return Exit.fail(new GuestError.GuestError({ plugin: this.plugin, function: this.codec.name, reason }))
  }

  /** One MessagePack value for each argument. */
  encode(payload: unknown): Result.Result<ReadonlyArray<Uint8Array>, GuestError.Reason> {
    return Result.mapError(this.codec.encodeArguments(payload, this.valueBytes), valueRefused)
  }

  /** The answer from its MessagePack value. */
  decode(bytes: Uint8Array): TypedExit {
    return this.exitOf(this.readAnswer(new Codec.Reader(bytes)))
  }

  /** Host to guest: the arguments as the export takes them. Throws a `Refused`, and then none is left in the guest's memory. */
  pass(payload: unknown, memory: GuestMemory): Raws {
    // A literal has room for one; an array that `push` grows, for 17.
    if (this.only !== undefined) return [this.only.pass(payload, memory)]
    const raws: Array<number | bigint> = []
    try {
      for (const argument of this.arguments) raws.push(argument.pass(payload, memory))
      return raws
    } catch (thrown) {
      release(raws, this.signature.arguments, memory)
      throw thrown
    }
  }

  /** A sync function, called and answered: its value. Throws a `Refused`, and whatever ends the guest. */
  invoke(run: Export, payload: unknown, guest: Guest): unknown {
    const { only } = this
    if (only === undefined) return this.invokeWith(run, this.pass(payload, guest.memory), guest)
    const raw = only.pass(payload, guest.memory)
    // A getter of the payload may have closed it.
    if (guest.dead !== undefined) throw new Refused(guest.dead)
    return this.answered(run(raw), guest)
  }

  /** The same for none or several: a method of its own, so that the frequent one stays small. */
  private invokeWith(run: Export, raws: Raws, guest: Guest): unknown {
    if (guest.dead !== undefined) throw new Refused(guest.dead)
    return this.answered(run(...raws), guest)
  }

  private answered(answer: number | bigint | undefined, guest: Guest): unknown {
    // The guest has caught what the host threw: its answer is none.
    if (guest.unwinding !== undefined) throw guest.unwinding
    return this.valueOf(answer, guest.memory)
  }

  /** Guest to host: the answer, as the export returned it or resolved its AsyncValue with it. */
  take(answer: number | bigint | undefined, memory: GuestMemory): TypedExit {
    try {
      return Exit.succeed(this.valueOf(answer, memory))
    } catch (thrown) {
      return this.exitOfThrown(thrown)
    }
  }

  /** The exit of a call that `pass`, `invoke` or `take` could not carry on. Throws what ends the guest. */
  exitOfThrown(thrown: unknown): TypedExit {
    if (isA(thrown, Refused)) return this.fail(thrown.reason)
    if (isA(thrown, Failed)) return Exit.fail(thrown.failure)
    throw thrown
  }

  private valueOf(answer: number | bigint | undefined, memory: GuestMemory): unknown {
    return this.ofRaw === undefined ? this.decoded(answer, memory) : this.ofRaw(answer!)
  }

  private decoded(answer: number | bigint | undefined, memory: GuestMemory): unknown {
    const { result } = this.signature
    if (result === "void") return undefined
    const value =
      result === "bytes"
        ? memory.read(answer as bigint, this.readAnswer)
        : this.readAnswer(new Codec.Reader(Signature.fromRaw(result, answer!)))
    if (isRefused(value)) throw value
    if (isTooLong(value)) throw new Refused(new GuestError.ValueTooLarge({ path: "", limit: value.limit }))
    if (!this.codec.answersResult) return value
    const answered = value as Result.Result<unknown, unknown>
    if (Result.isFailure(answered)) throw new Failed(answered.failure)
    return answered.success
  }

  /** What is read, or why it is refused. */
  private readonly readAnswer = (reader: Codec.Reader): unknown => {
    // fp-bindgen's SPEC.md lets a guest answer nothing with the null pointer.
    const isNothing = reader.remaining === 0 && !this.signature.sync
    try {
      return this.codec.readAnswer(isNothing ? new Codec.Reader(nil) : reader)
    } catch (thrown) {
      const { detail, path } = toCodecError("decode", thrown)
      return new Refused(new GuestError.AnswerRefused({ path, detail }))
    }
  }

  /** To another thread: appends the arguments, or says what does not fit. */
  write(payload: unknown, writer: Codec.Writer): CodecError | undefined {
    return writer.plain(this.valueBytes, () => this.codec.writeArguments(payload, writer))
  }

  /** From another thread: the answer in the value that the reader stands before. */
  read(reader: Codec.Reader): TypedExit {
    return this.exitOf(reader.plain(this.readValue))
  }

  private readonly readValue = (reader: Codec.Reader): unknown => Wire.withValue(reader, this.readAnswer)

  private exitOf(value: unknown): TypedExit {
    if (isRefused(value)) return this.fail(value.reason)
    return FunctionCodec.exitOf(this.codec, value)
  }
}

/** A function of the guest's. */
export type Export = (...raws: Array<number | bigint>) => number | bigint | undefined

/** As `Foreign.isA`, which the engine makes slower the more types it is asked for. */
const isRefused = (value: unknown): value is Refused => {
  try {
    return value instanceof Refused
  } catch {
    return false
  }
}

const isTooLong = (value: unknown): value is TooLong => {
  try {
    return value instanceof TooLong
  } catch {
    return false
  }
}

/** Thrown: the function's own failure, typed by its contract. */
class Failed {
  readonly failure: unknown

  constructor(failure: unknown) {
    this.failure = failure
  }
}

/** Arguments as an export takes them: a raw number, or a fat pointer. */
export type Raws = ReadonlyArray<number | bigint>

/** Host to guest: arguments that are encoded already, as `GuestCodec.pass`. */
export const passBytes = (
  { arguments: kinds }: Signature.Signature,
  args: ReadonlyArray<Uint8Array>,
  memory: GuestMemory
): Raws => {
  const raws: Array<number | bigint> = []
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i]!
    const value = args[i]!
    const raw = kind === "bytes" ? memory.tryWrite(value) : Signature.toRaw(kind, value)
    if (raw === undefined) {
      release(raws, kinds, memory)
      throw new Refused(new GuestError.OutOfMemory({ bytes: value.byteLength }))
    }
    raws.push(raw)
  }
  return raws
}

/** Frees arguments that were written and are not delivered. */
export const release = (raws: Raws, kinds: ReadonlyArray<Signature.Kind>, memory: GuestMemory): void => {
  for (const [position, raw] of raws.entries()) if (kinds[position] === "bytes") memory.release(raw as bigint)
}

/** MessagePack nil: the answer of a function that returns nothing. */
export const nil = new Uint8Array([0xc0])
