/**
 * A host function and its two faces.
 *
 * Typed: `payload => Effect<Success, Error | HostCallError>`, what an application calls and what it implements.
 * Bytes: `arguments => Effect<bytes, HostCallError>`, what a guest calls: MessagePack in and out, a typed failure
 * being an answer like any other. A handler gets its byte face from its contract's codec. A function that a host pool
 * runs has one of its own, so the guest's bytes pass through the calling thread untouched.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Admission from "./Admission.ts"
import type { CodecError } from "./CodecError.ts"
import type { FunctionCodec } from "./FunctionCodec.ts"
import * as HostCallError from "./HostCallError.ts"

/** What implements a host function: an Effect of the decoded payload, with any services. */
export type Handler<R extends Rpc.Any, Env = unknown> = (
  payload: Rpc.Payload<R>
) => Effect.Effect<Rpc.Success<R>, Rpc.Error<R> | HostCallError.HostCallError, Env>

/** One MessagePack value for each argument in, one MessagePack value out. Where the bytes run is not visible here. */
export type Bytes = (args: ReadonlyArray<Uint8Array>) => Effect.Effect<Uint8Array, HostCallError.HostCallError>

/** One handler for each function of a contract. */
export type Handlers<R extends Rpc.Any> = { readonly [Current in R as Current["_tag"]]: Handler<Current> }

/** Refuses handlers of functions that the contract does not have. */
export type Exactly<H, R extends Rpc.Any> = { readonly [K in Exclude<keyof H, R["_tag"]>]: never }

/** The services that handlers need. A `Scope` and a parent span are each call's own. */
export type Services<H> = H[keyof H] extends infer F
  ? F extends (...args: Array<never>) => Effect.Effect<infer _A, infer _E, infer Env>
    ? Exclude<Env, Scope.Scope | Tracer.ParentSpan>
    : never
  : never

const BytesTypeId = "~fiberhost/core/HostFunction/bytes"

/** A typed function that carries its byte face: what a host pool offers. */
export interface HostFunction<R extends Rpc.Any> extends Handler<R, never> {
  readonly [BytesTypeId]: ByteFace
}

/** A handler or a host pool's function, its types erased: the codec checks what they say. */
type Implementation<Env> = ((payload: unknown) => Effect.Effect<unknown, unknown, Env>) & {
  readonly [BytesTypeId]?: ByteFace
}

interface ByteFace {
  readonly codec: FunctionCodec
  readonly run: Bytes
}

/** Gives a byte face its typed twin: encodes the payload, decodes the answer. The types are the contract's. */
export const fromBytes = (
  codec: FunctionCodec,
  run: Bytes
): ((payload: unknown) => Effect.Effect<unknown, unknown>) & { readonly [BytesTypeId]: ByteFace } => {
  const refused = (reason: HostCallError.Reason) =>
    Effect.fail(new HostCallError.HostCallError({ function: codec.name, reason }))
  const call = (payload: unknown) =>
    Effect.suspend((): Effect.Effect<unknown, unknown> => {
      const args = codec.encodeArguments(payload)
      if (Result.isFailure(args)) return refused(argumentsRefused(args.failure))
      return Effect.flatMap(run(args.success), (bytes): Effect.Effect<unknown, unknown> => {
        const answer = codec.decodeAnswer(bytes)
        return Result.isFailure(answer) ? refused(answerRefused(answer.failure)) : Effect.fromResult(answer.success)
      })
    })
  return Object.assign(call, { [BytesTypeId]: { codec, run } } as const)
}

/** The byte faces of a contract's handlers, in the contract's order; services from the calling context. */
export const implement = Effect.fnUntraced(function* <H extends object, E = never, Env = never>(
  codecs: ReadonlyMap<string, FunctionCodec>,
  handlers: H | Effect.Effect<H, E, Env>
): Effect.fn.Return<ReadonlyMap<string, Bytes>, E, Env | Services<H>> {
  const context = withoutCaller(yield* Effect.context<Services<H>>())
  const implementations = Effect.isEffect(handlers) ? yield* handlers : handlers
  const faces = new Map<string, Bytes>()
  for (const [tag, codec] of codecs) {
    const handler: Implementation<Services<H>> | undefined = Reflect.get(implementations as object, tag)
    if (handler !== undefined) faces.set(tag, toBytes(codec, handler, context))
  }
  return faces
})

/**
 * The byte face of what implements a function: its own if it is a host pool's of this very contract, otherwise made by
 * the codec, the handler's services taken from `context`. An Effect that has its answer already costs no fiber.
 */
const toBytes = <Env>(codec: FunctionCodec, handler: Implementation<Env>, context: Context.Context<Env>): Bytes => {
  const face = handler[BytesTypeId]
  if (face !== undefined && face.codec.rpc === codec.rpc) return face.run

  const refused = (reason: HostCallError.Reason) =>
    Exit.fail(new HostCallError.HostCallError({ function: codec.name, reason }))
  const encode = (answer: Result.Result<unknown, unknown>) => {
    const bytes = codec.encodeAnswer(answer)
    return Result.isSuccess(bytes) ? Exit.succeed(bytes.success) : refused(answerRefused(bytes.failure))
  }
  const settle = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<Uint8Array, HostCallError.HostCallError> => {
    if (Exit.isSuccess(exit)) return encode(Result.succeed(exit.value))
    const error = Cause.findError(exit.cause)
    if (Result.isFailure(error)) return Exit.fail(HostCallError.fromCause(codec.name, error.failure))
    if (error.success instanceof HostCallError.HostCallError) return Exit.fail(error.success)
    // Without an `error` in the contract nothing may fail: an untyped caller got past the compiler.
    if (!codec.answersResult) return refused(new HostCallError.Defect({ cause: error.success }))
    return encode(Result.fail(error.success))
  }
  return (args) => {
    const payload = codec.decodeArguments(args)
    if (Result.isFailure(payload)) return refused(argumentsRefused(payload.failure))
    const effect = attempt(() => handler(payload.success))
    if (isExit(effect)) return settle(effect)
    return Effect.flatMap(Effect.exit(Effect.scoped(Effect.provideContext(effect, context))), settle)
  }
}

/** Leaves out what belongs to whoever calls, not to whoever built the layer. No handler's type asks for it. */
const withoutCaller = <Env>(context: Context.Context<Env>): Context.Context<Env> =>
  callers(context) as Context.Context<Env>

const callers = Context.omit(
  Admission.Current,
  Tracer.ParentSpan,
  References.CurrentLogAnnotations,
  References.CurrentLogSpans,
  Scope.Scope
)

/** A handler that throws instead of returning an Effect has a bug like one whose Effect dies. */
const attempt = <A, E, Env>(evaluate: () => Effect.Effect<A, E, Env>): Effect.Effect<A, E, Env> => {
  try {
    return evaluate()
  } catch (error) {
    return Exit.die(error)
  }
}

const argumentsRefused = ({ detail, path }: CodecError) => new HostCallError.ArgumentsRefused({ path, detail })

const answerRefused = ({ detail, path }: CodecError) => new HostCallError.AnswerRefused({ path, detail })

/** Whether an Effect has its answer already, so that it needs no fiber. Keeps the Effect's own types. */
export const isExit = <A, E, Env>(effect: Effect.Effect<A, E, Env>): effect is Exit.Exit<A, E> => Exit.isExit(effect)
