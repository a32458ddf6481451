/**
 * What a guest's thread knows of a function: its name, its argument kinds, and no schema. Plain data, so that it can be
 * sent to the thread where the guest runs. Values travel between threads as MessagePack; here is how one of a raw kind
 * becomes the WebAssembly number that the guest takes, and back.
 */
import * as Codec from "@fiberhost/core/Codec"
import * as CodecError from "@fiberhost/core/CodecError"
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as Primitive from "@fiberhost/core/Primitive"
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Abi from "../../Abi.ts"

/** A raw number, or "bytes": MessagePack in guest memory behind a fat pointer. */
export type Kind = Primitive.Kind | "bytes"

/** The WebAssembly type that carries a kind. */
type ValueType = "i32" | "i64" | "f32" | "f64"

export interface Signature {
  readonly name: string
  readonly sync: boolean
  readonly arguments: ReadonlyArray<Kind>
  /** "void" only for a sync function: the answer of an async one is always MessagePack, nil for nothing. */
  readonly result: Kind | "void"
  /** Host functions: the answer, as MessagePack, when the function cannot give its own. */
  readonly onInterrupt: Uint8Array | undefined
}

/** Throws a `CodecError` (reason `Unsupported`) when an argument has no kind, or the interruption Err no encoding. */
export const make = (codec: FunctionCodec.FunctionCodec): Signature => {
  const sync = Abi.isSync(codec.rpc)
  return {
    name: codec.name,
    sync,
    arguments: codec.arguments.map(({ name, schema }) => kindOf(schema, `${codec.name}.${name}`)),
    result: !sync || codec.answersResult ? "bytes" : resultOf(codec),
    onInterrupt: onInterruptOf(codec)
  }
}

/** A sync function's unwrapped answer is raw like an argument, and nothing at all for Void. */
const resultOf = (codec: FunctionCodec.FunctionCodec): Kind | "void" =>
  codec.success.ast._tag === "Void" ? "void" : kindOf(codec.success, `${codec.name}.success`)

const kindOf = (schema: Schema.Constraint, path: string): Kind => {
  if (Abi.isValue(schema)) return "bytes"
  const kind = Primitive.kindOf(schema.ast)
  if (kind !== undefined) return kind
  if (Primitive.isBareInteger(schema.ast)) {
    throw refused(
      path,
      "an integer argument travels raw, so its width matters: use Abi.U8 .. Abi.I64 as the plugin does"
    )
  }
  return "bytes"
}

const onInterruptOf = (codec: FunctionCodec.FunctionCodec): Uint8Array | undefined => {
  const err = Context.getOption(codec.rpc.annotations, Abi.OnInterrupt)
  if (Option.isNone(err)) return undefined
  if (!codec.answersResult) throw refused(codec.name, "Abi.OnInterrupt needs an `error` schema to be a value of")
  const bytes = codec.encodeAnswer(Result.fail(err.value))
  if (Result.isFailure(bytes)) throw bytes.failure.under(`${codec.name}.OnInterrupt`)
  return bytes.success
}

const refused = (path: string, hint: string): CodecError.CodecError =>
  new CodecError.CodecError({ direction: "encode", path, reason: new CodecError.Unsupported({ hint }) })

export const valueTypeOf = (kind: Kind): ValueType => {
  switch (kind) {
    case "bytes":
    case "i64":
    case "u64":
      return "i64"
    case "f32":
    case "f64":
      return kind
    default:
      return "i32"
  }
}

/** Host to guest: the number that a raw kind's MessagePack value is. The value was checked where it was typed. */
export const toRaw = (kind: Primitive.Kind, value: Uint8Array): number | bigint => {
  const raw = Result.getOrThrow(Codec.decodeFromBytes(codecs[kind], value))
  return typeof raw === "boolean" ? Number(raw) : raw
}

/**
 * Guest to host: the MessagePack value of a raw number. Nothing normalises it on the way (docs/abi.md, "Primitives"): it is
 * taken modulo the kind's width, and unsigned kinds arrive signed.
 */
export const fromRaw = (kind: Primitive.Kind, raw: number | bigint): Uint8Array =>
  Result.getOrThrow(Codec.encodeToBytes(codecs[kind], normalize[kind](raw)))

/** As `fromRaw`, appended. */
export const writeRaw = (kind: Primitive.Kind, raw: number | bigint, writer: Codec.Writer): void => {
  Result.getOrThrow(codecs[kind].encode(normalize[kind](raw), writer))
}

/** Guest to host: a raw number as the value of its kind, which is what `fromRaw` writes. */
export const valueOf = (kind: Primitive.Kind): ((raw: number | bigint) => Raw) => normalize[kind]

/** Host to guest: the raw number of a value; undefined when it is no value of the kind. */
export const rawOf = (kind: Primitive.Kind): ((value: unknown) => number | bigint | undefined) => {
  switch (kind) {
    case "bool":
      return (value) => (typeof value === "boolean" ? Number(value) : undefined)
    case "i64":
    case "u64": {
      const [min, max] = Primitive.bigIntRange[kind]
      return (value) => (typeof value === "bigint" && value >= min && value <= max ? value : undefined)
    }
    case "f64":
      return (value) => (typeof value === "number" ? value : undefined)
    case "f32":
      return (value) =>
        typeof value === "number" && Number.isFinite(value) === Number.isFinite(Math.fround(value)) ? value : undefined
    default: {
      const [min, max] = Primitive.intRange[kind]
      return (value) =>
        typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value : undefined
    }
  }
}

type Raw = number | bigint | boolean

const codecs: { readonly [K in Primitive.Kind]: Codec.Codec<Raw> } = {
  bool: codec(Schema.Boolean),
  i8: codec(Primitive.I8),
  i16: codec(Primitive.I16),
  i32: codec(Primitive.I32),
  i64: codec(Primitive.I64),
  u8: codec(Primitive.U8),
  u16: codec(Primitive.U16),
  u32: codec(Primitive.U32),
  u64: codec(Primitive.U64),
  f32: codec(Primitive.F32),
  f64: codec(Primitive.F64)
}

const normalize: { readonly [K in Primitive.Kind]: (raw: number | bigint) => Raw } = {
  bool: (raw) => Number(raw) !== 0,
  i8: (raw) => (Number(raw) << 24) >> 24,
  i16: (raw) => (Number(raw) << 16) >> 16,
  i32: (raw) => Number(raw) | 0,
  i64: (raw) => BigInt.asIntN(64, BigInt(raw)),
  u8: (raw) => Number(raw) & 0xff,
  u16: (raw) => Number(raw) & 0xffff,
  u32: (raw) => Number(raw) >>> 0,
  u64: (raw) => BigInt.asUintN(64, BigInt(raw)),
  f32: Number,
  f64: Number
}

function codec<A extends Raw>(schema: Schema.ConstraintCodec<A, unknown>): Codec.Codec<Raw> {
  return Codec.make(schema as Schema.ConstraintCodec<Raw, unknown>)
}
