/**
 * How a function's contract travels: its arguments one MessagePack value each, in the order of the payload's fields,
 * its answer one MessagePack value. An `Rpc` with an `error` answers with a Result (`{"Ok": v}` or `{"Err": e}`),
 * one without answers with the bare value. Made once per function, when its contract is made, and kept by it.
 *
 * The same two directions serve guest functions and host functions: who calls encodes arguments and decodes the
 * answer, who implements decodes arguments and encodes the answer.
 */
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcSchema from "effect/rpc/RpcSchema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as Codec from "./Codec.ts"
import { CodecError, Unsupported } from "./CodecError.ts"

/** One argument: the payload's field, in declaration order. */
export interface Argument {
  readonly name: string
  readonly schema: Schema.Constraint
  readonly codec: Codec.Codec<unknown>
}

/**
 * Values are typed by the contract that holds the codec: the schemas check them, so nothing more is known of them here.
 */
export interface FunctionCodec {
  readonly rpc: Rpc.Any
  /** The function's name: the `Rpc`'s tag. */
  readonly name: string
  readonly arguments: ReadonlyArray<Argument>
  /** The schema of the bare success value. */
  readonly success: Schema.Constraint
  /** Whether the contract has an `error`, so that the answer travels as a Result. */
  readonly answersResult: boolean
  /** Caller's side: one MessagePack value for each argument. The error's path begins with the argument's name. */
  readonly encodeArguments: (payload: unknown) => Result.Result<ReadonlyArray<Uint8Array>, CodecError>
  /** Implementer's side: the payload from one MessagePack value for each argument. */
  readonly decodeArguments: (values: ReadonlyArray<Uint8Array>) => Result.Result<unknown, CodecError>
  /** Implementer's side: the function's answer. Without an `error` in the contract it must be a success. */
  readonly encodeAnswer: (answer: Result.Result<unknown, unknown>) => Result.Result<Uint8Array<ArrayBuffer>, CodecError>
  /** Caller's side: the answer from its MessagePack value. */
  readonly decodeAnswer: (bytes: Uint8Array) => Result.Result<Result.Result<unknown, unknown>, CodecError>
}

/** An `Rpc` that can be a function of a plugin or of a host pool. Anything else is named in the type by its fault. */
export type Supported<R extends Rpc.Any> =
  R extends Rpc.Rpc<infer Tag, infer Payload, infer Success, infer _Error, infer Middleware, infer _Requires>
    ? [Success] extends [RpcSchema.Stream<infer _A, infer _E>]
      ? Refused<`${Tag}: a streamed answer is not supported`>
      : [Middleware] extends [never]
        ? [Payload] extends [Schema.Struct<infer _Fields>] | [Schema.Void]
          ? [Rpc.Services<R>] extends [never]
            ? R
            : Refused<`${Tag}: its schemas need services; codecs must need none`>
          : Refused<`${Tag}: the payload must be a struct, its fields are the arguments`>
        : Refused<`${Tag}: Rpc middleware is applied by RpcServer only`>
    : never

/** A type that no value has; its parameter says why. */
export interface Refused<Reason extends string> {
  readonly "~fiberhost/refused": Reason
}

/**
 * Throws a `CodecError` (reason `Unsupported`) for an `Rpc` that cannot travel: a stream, middleware, a payload that
 * is not a plain struct of required fields, or a schema without a wire rule. That is a bug in the contract.
 */
export const make = (definition: Rpc.Any): FunctionCodec => {
  const rpc = propsOf(definition)
  if (RpcSchema.isStreamSchema(rpc.successSchema)) {
    throw refused(rpc, "a streamed answer is not supported: answer with an array, or be called repeatedly")
  }
  if (rpc.middlewares.size > 0) {
    throw refused(rpc, "Rpc middleware is applied by RpcServer only: wrap the handler's Effect instead")
  }
  const args = argumentsOf(rpc)
  const success = codecAt<unknown>(rpc, "success", rpc.successSchema)
  const answersResult = rpc.errorSchema.ast._tag !== "Never"
  const result = answersResult
    ? codecAt<Result.Result<unknown, unknown>>(rpc, "answer", Schema.Result(rpc.successSchema, rpc.errorSchema))
    : undefined

  const encodeArguments = (payload: unknown): Result.Result<ReadonlyArray<Uint8Array>, CodecError> => {
    const values: Array<Uint8Array> = []
    for (const { codec, name } of args) {
      const bytes = Codec.encodeToBytes(codec, isRecord(payload) ? payload[name] : undefined)
      if (Result.isFailure(bytes)) return Result.fail(bytes.failure.under(name))
      values.push(bytes.success)
    }
    return Result.succeed(values)
  }

  const decodeArguments = (values: ReadonlyArray<Uint8Array>): Result.Result<unknown, CodecError> => {
    if (args.length === 0) return Result.succeed(undefined)
    const payload: Record<string, unknown> = {}
    for (const [index, { codec, name }] of args.entries()) {
      const value = Codec.decodeFromBytes(codec, values[index] ?? noBytes)
      if (Result.isFailure(value)) return Result.fail(value.failure.under(name))
      payload[name] = value.success
    }
    return Result.succeed(payload)
  }

  return {
    rpc,
    name: rpc._tag,
    arguments: args,
    success: rpc.successSchema,
    answersResult,
    encodeArguments,
    decodeArguments,
    encodeAnswer:
      result === undefined
        ? (answer) => Codec.encodeToBytes(success, Result.getOrThrow(answer))
        : (answer) => Codec.encodeToBytes(result, answer),
    decodeAnswer:
      result === undefined
        ? (bytes) => Result.map(Codec.decodeFromBytes(success, bytes), Result.succeed)
        : (bytes) => Codec.decodeFromBytes(result, bytes)
  }
}

/** One codec for each function, by tag, in the contract's order. Throws as `make` does, and when two have one tag. */
export const makeAll = (rpcs: ReadonlyArray<Rpc.Any>): ReadonlyMap<string, FunctionCodec> => {
  const codecs = new Map<string, FunctionCodec>()
  for (const rpc of rpcs) {
    if (codecs.has(rpc._tag)) throw refused(propsOf(rpc), "two functions of one contract have this tag")
    codecs.set(rpc._tag, make(rpc))
  }
  return codecs
}

const argumentsOf = (rpc: Rpc.AnyWithProps): ReadonlyArray<Argument> => {
  const payload = rpc.payloadSchema
  if (payload.ast._tag === "Void") return []
  const fields: unknown = "fields" in payload ? payload.fields : undefined
  if (payload.ast._tag !== "Objects" || payload.ast.encoding !== undefined || !isRecord(fields)) {
    throw refused(rpc, "the payload must be a plain struct: its fields, in their order, are the arguments")
  }
  if (payload.ast.checks !== undefined) {
    throw refused(rpc, "checks on the payload as a whole are not applied to arguments: check its fields instead")
  }
  return Object.entries(fields).map(([name, field]) => {
    if (!Schema.isSchema(field) || SchemaAST.isOptional(field.ast)) {
      throw refused(rpc, `argument "${name}" is optional, but every argument travels: use Schema.Option or NullOr`)
    }
    return { name, schema: field, codec: codecAt(rpc, name, field) }
  })
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

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const noBytes = new Uint8Array(0)
