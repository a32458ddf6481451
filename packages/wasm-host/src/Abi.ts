/**
 * How a function of a plugin differs from any other `Rpc`: its argument kinds, that it may be sync, what the guest is told
 * when a host function cannot answer, how long a call may take, and whether it may be made twice.
 *
 * Arguments of these kinds, and `Schema.Boolean`, travel raw as WebAssembly numbers; `Schema.Number` is an f64.
 * Everything else is MessagePack in guest memory, by the rules of `Codec` in `@fiberhost/core`.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Rpc from "effect/rpc/Rpc"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

export { F32, F64, I8, I16, I32, I64, U8, U16, U32, U64 } from "@fiberhost/core/Primitive"

const valueAnnotation = "~fiberhost/wasm-host/Abi/value"

/**
 * A number that travels as MessagePack although it is an argument or a sync answer. fp-bindgen knows primitives by their
 * name, so a newtype (`struct Meters(f64)`) or an alias (`type Id = u32`) is a value to it: `Abi.asValue(Abi.U32)`.
 */
export const asValue = <S extends Schema.Top>(schema: S): S["Rebuild"] => schema.annotate({ [valueAnnotation]: true })

/** Checks, brands and transformations keep it, as they keep the kind. */
export const isValue = (schema: Schema.Constraint): boolean => isMarked(schema.ast)

const isMarked = ({ annotations, checks, encoding }: SchemaAST.AST): boolean =>
  annotations?.[valueAnnotation] === true ||
  checks?.some((check) => check.annotations?.[valueAnnotation] === true) === true ||
  encoding?.some(({ to }) => isMarked(to)) === true

/** Whether a function is sync: it answers before the call returns. Set by `sync`, read by the host. */
export const IsSync = Context.Reference<boolean>("@fiberhost/wasm-host/Abi/IsSync", { defaultValue: () => false })

/**
 * The Err that a guest gets from a host function that cannot answer: interrupted, failed with a defect, refused by its
 * schema. A value of the function's `error` schema, checked when the contract is made:
 * `Rpc.make("read", { .. error: ReadError }).annotate(Abi.OnInterrupt, new ReadInterrupted())`.
 */
export class OnInterrupt extends Context.Service<OnInterrupt, unknown>()("@fiberhost/wasm-host/Abi/OnInterrupt") {}

/**
 * How long a call of the function may take at most, in the place of the executor's `deadline`:
 * `Rpc.make("render", ..).annotate(Abi.Deadline, "100 millis")`. See `GuestCall.withDeadline`.
 */
export class Deadline extends Context.Service<Deadline, Duration.Input>()("@fiberhost/wasm-host/Abi/Deadline") {}

/**
 * Whether a call may be made twice: `Rpc.make("find", ..).annotate(Abi.Idempotent, true)`. Then a supervisor makes a call
 * that died with its guest again, in the next instance.
 */
export const Idempotent = Context.Reference<boolean>("@fiberhost/wasm-host/Abi/Idempotent", {
  defaultValue: () => false
})

export const isIdempotent = (rpc: Rpc.Any): boolean => Context.get(rpc.annotations, Idempotent)

/** A sync function, in its type too. */
export interface Sync<
  in out Tag extends string,
  out Payload extends Schema.Top,
  out Success extends Schema.Top,
  out Error extends Schema.Top
> extends Rpc.Rpc<Tag, Payload, Success, Error> {
  readonly "~fiberhost/sync": true
  annotate<I, S>(tag: Context.Key<I, S>, value: NoInfer<S>): Sync<Tag, Payload, Success, Error>
}

/**
 * A function that answers before the call returns: `fn` without `async` in the plugin's protocol.
 * A sync host function's Effect must finish without waiting when its guest runs in the same thread.
 */
export const sync = <
  const Tag extends string,
  Payload extends Schema.Struct.Fields | Schema.Void = Schema.Void,
  Success extends Schema.Top = Schema.Void,
  Error extends Schema.Top = Schema.Never
>(
  tag: Tag,
  options?: {
    readonly payload?: Payload
    readonly success?: Success
    readonly error?: Error
  }
): Sync<Tag, Payload extends Schema.Struct.Fields ? Schema.Struct<Payload> : Payload, Success, Error> =>
  Rpc.make(tag, options).annotate(IsSync, true) as Sync<
    Tag,
    Payload extends Schema.Struct.Fields ? Schema.Struct<Payload> : Payload,
    Success,
    Error
  >

export const isSync = (rpc: Rpc.Any): boolean => Context.get(rpc.annotations, IsSync)
