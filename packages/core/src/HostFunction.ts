/**
 * A host function and its faces.
 *
 * Typed: `payload => Effect<Success, Error | HostCallError>`, what an application calls and what it implements.
 * Bytes: `arguments => Effect<bytes, HostCallError>`, what a guest calls: MessagePack in and out, a typed failure
 * being an answer like any other. A handler gets its byte face from its contract's codec. A function that a host pool
 * runs has one of its own, so the guest's bytes pass through the calling thread untouched.
 * Values: the handler itself, for who reads the payload and writes the answer where they lie: a guest's memory, a message.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as References from "effect/References"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Admission from "./Admission.ts"
import { toCodecError } from "./CodecError.ts"
import * as Deadline from "./Deadline.ts"
import { isA } from "./Foreign.ts"
import * as FunctionCodec from "./FunctionCodec.ts"
import * as HostCallError from "./HostCallError.ts"
import * as DieYoung from "./internal/DieYoung.ts"
import type { Reader } from "./internal/msgpack/MsgPackReader.ts"
import { PinnedTo } from "./internal/pool/PoolBackend.ts"
import * as Wire from "./Wire.ts"

/** What implements a host function: an Effect of the decoded payload, with any services; a Stream if it is streamed. */
export type Handler<R extends Rpc.Any, Env = unknown> = (
  payload: Rpc.Payload<R>
) => [Rpc.Success<R>] extends [Stream.Stream<infer A, infer E, infer _Env>]
  ? Stream.Stream<A, E | HostCallError.HostCallError, Env>
  : Effect.Effect<Rpc.Success<R>, Rpc.Error<R> | HostCallError.HostCallError, Env>

/**
 * One MessagePack value for each argument in, one MessagePack value out. Where the bytes run is not visible here, so
 * they are the function's from the call on: a thread's function may move them.
 */
export type Bytes = (args: ReadonlyArray<Uint8Array>) => Effect.Effect<Uint8Array, HostCallError.HostCallError>

/** One handler for each function of a contract. */
export type Handlers<R extends Rpc.Any> = { readonly [Current in R as Current["_tag"]]: Handler<Current> }

/** Refuses handlers of functions that the contract does not have. */
export type Exactly<H, R extends Rpc.Any> = { readonly [K in Exclude<keyof H, R["_tag"]>]: never }

/** The services that handlers need. A `Scope` and a parent span are each call's own. */
export type Services<H> = H[keyof H] extends infer F
  ? F extends (
      ...args: Array<never>
    ) => Effect.Effect<infer _A, infer _E, infer Env> | Stream.Stream<infer _A, infer _E, infer Env>
    ? Exclude<Env, Scope.Scope | Tracer.ParentSpan>
    : never
  : never

const BytesTypeId = "~fiberhost/core/HostFunction/bytes"

/** A typed function that carries its byte face: what a host pool offers. */
export type HostFunction<R extends Rpc.Any> = Handler<R, never> & { readonly [BytesTypeId]: ByteFace }

/** A handler or a host pool's function, its types erased: the codec checks what they say. */
type Erased<Env> = ((payload: unknown) => Effect.Effect<unknown, unknown, Env>) & { readonly [BytesTypeId]?: ByteFace }

interface ByteFace {
  readonly codec: FunctionCodec.FunctionCodec
  readonly run: Bytes
}

/** What a function answered: its success, or its own typed failure. */
export type Answer = Result.Result<unknown, unknown>

/** A handler between its codecs: it has its services, and everything but an answer is a `HostCallError`. */
export interface Implementation {
  readonly codec: FunctionCodec.FunctionCodec
  /**
   * What an Effect of `values` runs in, for a caller with this context, but for the scope that `fork` adds. The services, and the
   * references that were set where its layer was built, are the handler's; all other references the caller's, and in any case
   * the span, the log's annotations and spans, and the minimum log level if one was set around the call.
   */
  readonly context: (caller: Context.Context<never>) => Context.Context<never>
  /** An Effect that has its answer already costs no fiber: see `isExit`. */
  readonly perform: (payload: unknown) => Effect.Effect<Answer, HostCallError.HostCallError>
  /** Of a streamed function instead: its elements, and its own typed failure or a `HostCallError`. */
  readonly stream: (payload: unknown) => Stream.Stream<unknown, unknown>
  readonly bytes: Bytes
  /** Undefined when `bytes` runs elsewhere, and is handed the arguments as they are. */
  readonly values: ValueFace | undefined
}

/** A handler of this thread, which is not run yet: its Effect is run by `fork`. */
export interface ValueFace {
  readonly handle: (payload: unknown) => Effect.Effect<unknown, unknown>
  /** What is answered when the handler has ended so. */
  readonly settle: (exit: Exit.Exit<unknown, unknown>) => Exit.Exit<Answer, HostCallError.HostCallError>
}

/** Gives a byte face its typed twin: encodes the payload, decodes the answer. The types are the contract's. */
export const fromBytes = (
  codec: FunctionCodec.FunctionCodec,
  run: Bytes
): ((payload: unknown) => Effect.Effect<unknown, unknown>) & { readonly [BytesTypeId]: ByteFace } => {
  const call = (payload: unknown) =>
    Effect.suspend((): Effect.Effect<unknown, unknown> => {
      const args = codec.encodeArguments(payload)
      if (Result.isFailure(args)) return Effect.fail(HostCallError.argumentsRefused(codec.name, args.failure))
      return Effect.flatMap(run(args.success), (bytes): Effect.Effect<unknown, unknown> => {
        const answer = codec.decodeAnswer(bytes)
        return Result.isFailure(answer)
          ? Effect.fail(HostCallError.answerRefused(codec.name, answer.failure))
          : Effect.fromResult(answer.success)
      })
    })
  return withBytes(call, codec, run)
}

/** Makes a typed function carry its byte face. */
export const withBytes = <F extends object>(
  call: F,
  codec: FunctionCodec.FunctionCodec,
  run: Bytes
): F & { readonly [BytesTypeId]: ByteFace } => Object.assign(call, { [BytesTypeId]: { codec, run } } as const)

/** A contract's handlers in the contract's order; services from the calling context. */
export const implement = Effect.fnUntraced(function* <H extends object, E = never, Env = never>(
  codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>,
  handlers: H | Effect.Effect<H, E, Env>
): Effect.fn.Return<ReadonlyMap<string, Implementation>, E, Env | Services<H>> {
  const context = withoutCaller(yield* Effect.context<Services<H>>())
  DieYoung.show()
  const erased = Effect.isEffect(handlers) ? yield* handlers : handlers
  const implementations = new Map<string, Implementation>()
  for (const [tag, codec] of codecs) {
    const handler: Erased<Services<H>> | undefined = Reflect.get(erased as object, tag)
    // What every object has is nobody's handler.
    const isGiven = !(tag in Object.prototype) || Object.hasOwn(erased, tag)
    if (isGiven && handler !== undefined) implementations.set(tag, implementation(codec, handler, context))
  }
  return implementations
})

/** All of a contract, in its order. One that a caller without types has left out is a defect. */
export const inOrder = (
  codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>,
  implementations: ReadonlyMap<string, Implementation>
): Effect.Effect<ReadonlyArray<Implementation>> => {
  const missing = Array.from(codecs.keys()).filter((tag) => !implementations.has(tag))
  return missing.length > 0
    ? Effect.die(new Error(`no handler for ${missing.join(", ")}`))
    : Effect.succeed(Array.from(codecs.keys(), (tag) => implementations.get(tag)!))
}

const implementation = <Env>(
  codec: FunctionCodec.FunctionCodec,
  handler: Erased<Env>,
  context: Context.Context<Env>
): Implementation => {
  const ownContext = contextOf(context)
  // A handler that throws instead of returning an Effect has a bug like one whose Effect dies.
  const handle = (payload: unknown): Effect.Effect<unknown, unknown> => {
    try {
      return handler(payload) as Effect.Effect<unknown, unknown>
    } catch (error) {
      return Exit.die(error)
    }
  }
  const run = <A>(
    payload: unknown,
    finish: (exit: Exit.Exit<Answer, HostCallError.HostCallError>) => Exit.Exit<A, HostCallError.HostCallError>
  ): Effect.Effect<A, HostCallError.HostCallError> => {
    const effect = handle(payload)
    if (isExit(effect)) return finish(settle(codec, effect))
    const owned = Effect.updateContext(Effect.scoped(effectOf(effect)), ownContext)
    return Effect.flatMap(Effect.exit(owned), (exit) => finish(settle(codec, exit)))
  }
  const stream = (payload: unknown): Stream.Stream<unknown, unknown> =>
    Stream.suspend(() => {
      const elements = handler(payload) as unknown as Stream.Stream<unknown, unknown, Env | Scope.Scope>
      return Stream.isStream(elements) ? elements : Stream.die(new Error("its handler returned no Stream"))
    }).pipe(
      Stream.scoped,
      Stream.updateContext(ownContext),
      Stream.catchCause((cause) => Stream.fail(failureOf(codec, cause)))
    )
  // A host pool's function of this very contract has a byte face already.
  const face = handler[BytesTypeId]
  const perform = (payload: unknown) => run(payload, identity)
  if (face !== undefined && face.codec.rpc === codec.rpc) {
    return { codec, context: ownContext, perform, stream, bytes: face.run, values: undefined }
  }
  const encode = encoder(codec)
  const bytes: Bytes = (args) => {
    const payload = codec.decodeArguments(args)
    return Result.isFailure(payload)
      ? Exit.fail(HostCallError.argumentsRefused(codec.name, payload.failure))
      : run(payload.success, encode)
  }
  return {
    codec,
    context: ownContext,
    perform,
    stream,
    bytes,
    values: { handle, settle: (exit) => settle(codec, exit) }
  }
}

/** What is answered when a handler has ended so, or its stream, whose success has no value. */
export const settle = (
  codec: FunctionCodec.FunctionCodec,
  exit: Exit.Exit<unknown, unknown>
): Exit.Exit<Answer, HostCallError.HostCallError> => {
  if (Exit.isSuccess(exit)) return Exit.succeed(Result.succeed(exit.value))
  const failure = failureOf(codec, exit.cause)
  return isA(failure, HostCallError.HostCallError) ? Exit.fail(failure) : Exit.succeed(Result.fail(failure))
}

/** A handler's own typed failure, or a `HostCallError`. */
const failureOf = (codec: FunctionCodec.FunctionCodec, cause: Cause.Cause<unknown>): unknown => {
  const error = Cause.findError(cause)
  if (Result.isFailure(error)) return HostCallError.fromCause(codec.name, error.failure)
  // Without an `error` in the contract nothing may fail: an untyped caller got past the compiler.
  const fits = codec.answersResult || isA(error.success, HostCallError.HostCallError)
  return fits ? error.success : HostCallError.fromDefect(codec.name, error.success)
}

/** A handler's answer as bytes. */
const encoder =
  (codec: FunctionCodec.FunctionCodec) =>
  (answer: Exit.Exit<Answer, HostCallError.HostCallError>): Exit.Exit<Uint8Array, HostCallError.HostCallError> => {
    if (Exit.isFailure(answer)) return Exit.failCause(answer.cause)
    const bytes = codec.encodeAnswer(answer.value)
    return Result.isSuccess(bytes)
      ? Exit.succeed(bytes.success)
      : Exit.fail(HostCallError.answerRefused(codec.name, bytes.failure))
  }

/**
 * The contexts of a handler that has these services. To merge two costs more than to call a handler, and callers come with one
 * context again and again: that of the fiber which was forked for them all.
 */
const contextOf = <Env>(services: Context.Context<Env>): ((caller: Context.Context<never>) => Context.Context<Env>) => {
  let last: Context.Context<never> | undefined
  let merged = services
  return (caller) => {
    if (caller !== last) {
      last = caller
      merged = Context.merge(caller, services)
      const level = Context.getOrUndefined(caller, References.MinimumLogLevel)
      if (level !== undefined) merged = Context.add(merged, References.MinimumLogLevel, level)
    }
    return merged
  }
}

/** Who waits for a handler's end. An object: a closure for each would cost as much memory as what it is told of. */
export interface Listener<A, E> {
  exited(exit: Exit.Exit<A, E>): void
}

/**
 * Runs what a handler gave in a fiber, in `context`, which is its implementation's, and in a scope of its own, which is closed when it
 * has ended. A fiber that has no exit on return tells `listener` once the scope is closed as well.
 */
export const fork = <A, E>(
  effect: Effect.Effect<A, E>,
  context: Context.Context<never>,
  listener: Listener<A, E>
): Fiber.Fiber<A, E> => {
  const scope = Scope.makeUnsafe()
  const fiber = Effect.runForkWith(Context.add(context, Scope.Scope, scope))(effectOf(effect))
  const exit = fiber.pollUnsafe()
  if (exit === undefined) {
    fiber.addObserver((exit) => {
      const closing = close(scope, exit)
      if (closing === undefined) return listener.exited(exit)
      Effect.runForkWith(context)(closedThen(closing, exit)).addObserver((exit) => listener.exited(exit))
    })
    return fiber
  }
  const closing = close(scope, exit)
  return closing === undefined ? fiber : fork(closedThen(closing, exit), context, listener)
}

/** What a handler gave, which without types may be no Effect: that is a bug like one that dies. */
const effectOf = <A, E, R>(given: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  try {
    if (Effect.isEffect(given)) return given
  } catch {
    // It cannot be looked at.
  }
  return Exit.die(new Error("its handler returned no Effect"))
}

const closedThen = <A, E>(closing: Effect.Effect<void>, exit: Exit.Exit<A, E>): Effect.Effect<A, E> =>
  Effect.andThen(Effect.uninterruptible(closing), exit)

/** A scope that nothing was added to need not keep the answer. */
const close = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined =>
  Scope.closeUnsafe(scope, scope.state._tag === "Empty" && Exit.isSuccess(exit) ? Exit.void : exit)

/** Leaves out what belongs to whoever calls, not to whoever built a layer or loaded a guest. No handler's type asks for it. */
export const withoutCaller = <Env>(context: Context.Context<Env>): Context.Context<Env> =>
  callers(context) as Context.Context<Env>

const callers = Context.omit(
  Admission.Current,
  Deadline.Current,
  PinnedTo,
  Tracer.ParentSpan,
  References.CurrentLogAnnotations,
  References.CurrentLogSpans,
  Scope.Scope
)

/**
 * Caller's side: the answer in the value that the reader stands before, as the call's exit. The reader is left after it, also when it is
 * refused. Throws a `CodecFailure` where there is no whole value: the fault is the message's then, and not the answer's.
 */
export const readAnswer = (codec: FunctionCodec.FunctionCodec, reader: Reader): Exit.Exit<unknown, unknown> => {
  const { end, offset } = reader
  let answer: unknown
  try {
    answer = Wire.withValue(reader, codec.readAnswer)
  } catch (thrown) {
    reader.window(offset, end)
    // Throws again where the message is cut off.
    Wire.skipValue(reader)
    return Exit.fail(HostCallError.answerRefused(codec.name, toCodecError("decode", thrown)))
  }
  return FunctionCodec.exitOf(codec, answer)
}

/** As `readAnswer`, of an answer that takes all of the reader's window. */
export const readWhole = (codec: FunctionCodec.FunctionCodec, reader: Reader): Exit.Exit<unknown, unknown> => {
  try {
    return FunctionCodec.exitOf(codec, codec.readAnswer(reader))
  } catch (thrown) {
    return Exit.fail(HostCallError.answerRefused(codec.name, toCodecError("decode", thrown)))
  }
}

/** Whether an Effect has its answer already, so that it needs no fiber. Keeps the Effect's own types. What cannot be looked at has none. */
export const isExit = <A, E, Env>(effect: Effect.Effect<A, E, Env>): effect is Exit.Exit<A, E> => {
  try {
    return Exit.isExit(effect)
  } catch {
    return false
  }
}
