/**
 * How a function's contract travels: its arguments one MessagePack value each, in the order of the payload's fields,
 * its answer one MessagePack value. An `Rpc` with an `error` answers with a Result (`{"Ok": v}` or `{"Err": e}`),
 * one without answers with the bare value. A streamed answer is its elements, one MessagePack value each, and then an
 * answer without a value, for the stream's end. Made once per function, when its contract is made, and kept by it.
 *
 * The same two directions serve guest functions and host functions: who calls encodes arguments and decodes the
 * answer, who implements decodes arguments and encodes the answer.
 */
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcSchema from "effect/rpc/RpcSchema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as Codec from "./Codec.ts"
import { CodecError, toCodecError, Unsupported } from "./CodecError.ts"
import * as Accessor from "./internal/codec/Accessor.ts"
import * as Arguments from "./internal/codec/Arguments.ts"
import { plainKind, readWindow, type WireCodec, wireCodec } from "./internal/codec/WireCodec.ts"
import type * as Primitive from "./Primitive.ts"

/** One argument: the payload's field, in declaration order. */
export interface Argument {
  readonly name: string
  readonly schema: Schema.Constraint
  readonly codec: Codec.Codec<unknown>
  /** The number kind that the schema is, when every value of the kind is the schema's, and nothing else. */
  readonly kind: Primitive.Kind | undefined
  /** The argument of a payload. */
  readonly of: Accessor.Accessor
  /** As `codec`, but it throws what is wrong, for `CodecError.toCodecError`, and leaves a part of the value behind. */
  readonly wire: WireCodec
}

/**
 * Values are typed by the contract that holds the codec: the schemas check them, so nothing more is known of them here.
 */
export interface FunctionCodec {
  readonly rpc: Rpc.Any
  /** The function's name: the `Rpc`'s tag. */
  readonly name: string
  readonly arguments: ReadonlyArray<Argument>
  /** Whether the answer is a stream. What is said of the answer is then said of the stream's end, a success without a value. */
  readonly streams: boolean
  /** The schema of the bare success value, or of one element of the stream. */
  readonly success: Schema.Constraint
  /** As an argument's `kind`, of `success`. */
  readonly successKind: Primitive.Kind | undefined
  /** Whether the contract has an `error`, so that the answer travels as a Result. */
  readonly answersResult: boolean
  /**
   * Caller's side: one MessagePack value for each argument, of at most `limit` bytes each. The error's path begins with the
   * argument's name.
   */
  readonly encodeArguments: (payload: unknown, limit?: number) => Result.Result<ReadonlyArray<Uint8Array>, CodecError>
  /** Implementer's side: the payload from one MessagePack value for each argument. */
  readonly decodeArguments: (values: ReadonlyArray<Uint8Array>) => Result.Result<unknown, CodecError>
  /** Implementer's side: the function's answer. Without an `error` in the contract it must be a success. */
  readonly encodeAnswer: (answer: Result.Result<unknown, unknown>) => Result.Result<Uint8Array<ArrayBuffer>, CodecError>
  /** Caller's side: the answer from its MessagePack value. */
  readonly decodeAnswer: (bytes: Uint8Array) => Result.Result<Result.Result<unknown, unknown>, CodecError>
  /**
   * Caller's side, as `encodeArguments`: appends each argument's length, a u32, and its value. A buffer that moves is its giver's
   * until all arguments have been written. On failure the writer is rewound to where it was.
   */
  readonly writeArguments: (payload: unknown, writer: Codec.Writer) => CodecError | undefined
  /** As `writeArguments`, for later: buffers are their giver's until the writer is settled. */
  readonly draftArguments: (payload: unknown, writer: Codec.Writer) => CodecError | undefined
  /**
   * Implementer's side: the payload that `writeArguments` wrote at the reader's offset. The reader is left after it,
   * with the window that it had, on failure as well.
   */
  readonly readArguments: (reader: Codec.Reader) => Result.Result<unknown, CodecError>
  /** Implementer's side, as `encodeAnswer`: appends the answer's value. On failure the writer is rewound. */
  readonly writeAnswer: (answer: Result.Result<unknown, unknown>, writer: Codec.Writer) => CodecError | undefined
  /**
   * Caller's side: the answer that takes all of the reader's window: a Result where the contract has an `error`, the bare success
   * value where it has none. Throws what is wrong, for `CodecError.toCodecError`.
   */
  readonly readAnswer: (reader: Codec.Reader) => unknown
  /** Implementer's side: appends one element of the stream. On failure the writer is rewound to where it was. */
  readonly writeElement: (value: unknown, writer: Codec.Writer) => CodecError | undefined
  /** Caller's side: the element that takes all of the reader's window. */
  readonly readElement: (reader: Codec.Reader) => Result.Result<unknown, CodecError>
  /** Both sides within one thread: the element as the caller gets it, written and read. */
  readonly carryElement: (value: unknown) => Result.Result<unknown, CodecError>
}

/** An `Rpc` that can be a function of a plugin. Anything else is named in the type by its fault. */
export type Supported<R extends Rpc.Any> =
  R extends Rpc.Rpc<infer Tag, infer _Payload, infer Success, infer _Error, infer _Middleware, infer _Requires>
    ? [Success] extends [RpcSchema.Stream<infer _A, infer _E>]
      ? Refused<`${Tag}: a streamed answer is not supported`>
      : Carried<R>
    : never

/** An `Rpc` that can be a function of a host pool, where an answer may be a stream. A promise takes what has a `then` for another. */
export type SupportedByPool<R extends Rpc.Any> = R["_tag"] extends "then"
  ? Refused<"then: who awaits the pool would call it">
  : Carried<R>

/** An `Rpc` that can be an export of a plugin. */
export type SupportedAsExport<R extends Rpc.Any> = R["_tag"] extends "then"
  ? Refused<"then: who awaits the plugin would call it">
  : Supported<R>

type Carried<R extends Rpc.Any> =
  R extends Rpc.Rpc<infer Tag, infer Payload, infer _Success, infer _Error, infer Middleware, infer _Requires>
    ? [Middleware] extends [never]
      ? [Payload] extends [Schema.Struct<infer Fields>] | [Schema.Void]
        ? [Optional<Fields>] extends [never]
          ? [Rpc.Services<R>] extends [never]
            ? R
            : Refused<`${Tag}: its schemas need services; codecs must need none`>
          : Refused<`${Tag}: argument ${Optional<Fields>} is optional, but every argument travels`>
        : Refused<`${Tag}: the payload must be a struct, its fields are the arguments`>
      : Refused<`${Tag}: Rpc middleware is applied by RpcServer only`>
    : never

/** The fields that a payload may leave out. */
type Optional<Fields extends Schema.Struct.Fields> = {
  [K in keyof Fields & string]: Fields[K]["~type.optionality"] extends "optional" ? K : never
}[keyof Fields & string]

/** A type that no value has; its parameter says why. */
export interface Refused<Reason extends string> {
  readonly "~fiberhost/refused": Reason
}

export interface Options {
  /** Whether an answer may be a stream. Default: no, as plugins have none. */
  readonly streams?: boolean
}

/**
 * Throws a `CodecError` (reason `Unsupported`) for an `Rpc` that cannot travel: a stream where there are none,
 * middleware, a payload that is not a plain struct of required fields, or a schema without a wire rule. That is a bug
 * in the contract.
 */
export const make = (definition: Rpc.Any, options?: Options): FunctionCodec => {
  const rpc = propsOf(definition)
  const stream = RpcSchema.isStreamSchema(rpc.successSchema) ? rpc.successSchema : undefined
  if (stream !== undefined && options?.streams !== true) {
    throw refused(rpc, "a streamed answer is not supported: answer with an array, or be called repeatedly")
  }
  if (rpc.middlewares.size > 0) {
    throw refused(rpc, "Rpc middleware is applied by RpcServer only: wrap the handler's Effect instead")
  }
  const args = argumentsOf(rpc)
  const success: Schema.Constraint = stream === undefined ? rpc.successSchema : stream.success
  const element = codecAt<unknown>(rpc, "success", success)
  const bare = stream === undefined ? element : codecAt<unknown>(rpc, "answer", Schema.Void)
  const error = errorOf(rpc, stream)
  const result =
    error === undefined
      ? undefined
      : codecAt<Result.Result<unknown, unknown>>(rpc, "answer", Schema.Result(bare.schema, error))

  /** TypeScript lets a function that answers `void` answer anything: nobody looks at it. */
  const said: (answer: Result.Result<unknown, unknown>) => Result.Result<unknown, unknown> =
    success.ast._tag === "Void" ? Result.map(() => undefined) : (answer) => answer

  const answer = wireCodec((result ?? bare).schema.ast)
  const readAnswer = (reader: Codec.Reader): unknown => readWindow(answer, reader)
  const decodeAnswer = (bytes: Uint8Array): Result.Result<Result.Result<unknown, unknown>, CodecError> => {
    try {
      const value = readAnswer(new Codec.Reader(bytes))
      return Result.succeed(result === undefined ? Result.succeed(value) : (value as Result.Result<unknown, unknown>))
    } catch (thrown) {
      return Result.fail(toCodecError("decode", thrown))
    }
  }

  return {
    rpc,
    name: rpc._tag,
    arguments: args,
    streams: stream !== undefined,
    success,
    successKind: plainKind(success.ast),
    answersResult: result !== undefined,
    ...Arguments.make(args),
    encodeAnswer:
      result === undefined
        ? (answer) => Codec.encodeToBytes(bare, Result.getOrThrow(said(answer)), Codec.longest)
        : (answer) => Codec.encodeToBytes(result, said(answer), Codec.longest),
    decodeAnswer,
    writeAnswer:
      result === undefined
        ? (answer, writer) => failureOf(bare.encode(Result.getOrThrow(said(answer)), writer))
        : (answer, writer) => failureOf(result.encode(said(answer), writer)),
    readAnswer,
    writeElement: (value, writer) => failureOf(element.encode(value, writer)),
    readElement: (reader) => element.decodeWindow(reader),
    carryElement: (value) =>
      Result.flatMap(Codec.encodeToBytes(element, value, Codec.longest), (bytes) =>
        Codec.decodeFromBytes(element, bytes)
      )
  }
}

/** Caller's side: what `readAnswer` gave, as the call's exit. */
export const exitOf = ({ answersResult }: FunctionCodec, answer: unknown): Exit.Exit<unknown, unknown> => {
  if (!answersResult) return Exit.succeed(answer)
  const result = answer as Result.Result<unknown, unknown>
  return Result.isSuccess(result) ? Exit.succeed(result.success) : Exit.fail(result.failure)
}

/** One codec for each function, by tag, in the contract's order. Throws as `make` does, and when two have one tag. */
export const makeAll = (rpcs: ReadonlyArray<Rpc.Any>, options?: Options): ReadonlyMap<string, FunctionCodec> => {
  const codecs = new Map<string, FunctionCodec>()
  for (const rpc of rpcs) {
    if (codecs.has(rpc._tag)) throw refused(propsOf(rpc), "two functions of one contract have this tag")
    codecs.set(rpc._tag, make(rpc, options))
  }
  return codecs
}

/** Throws where a value with functions by these names would be taken for a promise by who awaits it. `what` names the value. */
export const refusePromise = (codecs: ReadonlyMap<string, FunctionCodec>, what: string): void => {
  if (!codecs.has("then")) return
  const reason = new Unsupported({ hint: `who awaits ${what} would call it: give the function another name` })
  throw new CodecError({ direction: "encode", path: "then", reason })
}

/**
 * What both sides of a wire must have in common, for they number functions and arguments: their names, in the contract's order,
 * and what is streamed.
 */
export const signaturesOf = (codecs: ReadonlyMap<string, FunctionCodec>): ReadonlyArray<string> =>
  Array.from(codecs.values(), ({ arguments: args, name, streams }) => {
    const signature = `${name}(${args.map(({ name }) => name).join(", ")})`
    return streams ? `stream ${signature}` : signature
  })

/** Where the contract of a pool is another than this one, though its name is the same: the first function, in words. */
export const mismatch = (
  codecs: ReadonlyMap<string, FunctionCodec>,
  signaturesOfPool: ReadonlyArray<string>
): string | undefined => {
  const own = signaturesOf(codecs)
  for (let index = 0; index < Math.max(own.length, signaturesOfPool.length); index++) {
    const [here, there] = [own[index] ?? "none", signaturesOfPool[index] ?? "none"]
    if (here !== there)
      return `function ${index + 1} of the pool is ${there}, and here ${here}. Build both from one contract`
  }
  return undefined
}

const argumentsOf = (rpc: Rpc.AnyWithProps): ReadonlyArray<Argument> => {
  const payload = rpc.payloadSchema
  if (payload.ast._tag === "Void") return []
  const fields: unknown = "fields" in payload ? payload.fields : undefined
  if (payload.ast._tag !== "Objects" || payload.ast.encoding !== undefined || !Accessor.isObject(fields)) {
    throw refused(
      rpc,
      "the payload must be a plain struct, no class and without a primaryKey: its fields, in their order, are the arguments"
    )
  }
  if (payload.ast.checks !== undefined) {
    throw refused(rpc, "checks on the payload as a whole are not applied to arguments: check its fields instead")
  }
  return Object.entries(fields).map(([name, field]) => {
    if (!Schema.isSchema(field) || SchemaAST.isOptional(field.ast)) {
      throw refused(rpc, `argument "${name}" is optional, but every argument travels: use Schema.Option or NullOr`)
    }
    if (name === "__proto__") throw refused(rpc, "an argument cannot be named __proto__: no payload has it")
    const codec = codecAt<unknown>(rpc, name, field)
    const wire = wireCodec(field.ast)
    return { name, schema: field, codec, kind: plainKind(field.ast), of: Accessor.make(name), wire }
  })
}

const failureOf = <A>(result: Result.Result<A, CodecError>): CodecError | undefined =>
  Result.isFailure(result) ? result.failure : undefined

/** The schema of what the function may fail with, of its stream and of itself, if it may. */
const errorOf = (rpc: Rpc.AnyWithProps, stream: RpcSchema.Stream<Schema.Top, Schema.Top> | undefined) => {
  const errors = [rpc.errorSchema, ...(stream === undefined ? [] : [stream.error])]
  const possible = errors.filter(({ ast }) => ast._tag !== "Never")
  return possible.length < 2 ? possible[0] : Schema.Union(possible)
}

/** A codec whose definition error names the function and the place in its contract. */
const codecAt = <A>(rpc: Rpc.AnyWithProps, place: string, schema: Schema.Constraint): Codec.Codec<A> => {
  try {
    return Codec.make(schema as Schema.ConstraintCodec<A, unknown>)
  } catch (error) {
    throw error instanceof CodecError ? error.under(`${rpc._tag}.${place}`) : error
  }
}

const refused = (rpc: Rpc.AnyWithProps, hint: string): CodecError =>
  new CodecError({ direction: "encode", path: rpc._tag, reason: new Unsupported({ hint }) })

/** Every `Rpc` has these properties; `Rpc.Any` only hides them from inference. */
const propsOf = (rpc: Rpc.Any): Rpc.AnyWithProps => rpc as Rpc.AnyWithProps
