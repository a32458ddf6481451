/**
 * A pool's functions for synchronous code, which blocks its thread until another has answered.
 *
 * Who has the pool makes a handle of it for each such caller: a value that is given to another thread with `workerData` or
 * `postMessage`, or kept for the main thread's own synchronous code. It is opened there with the contract. Calls go to the
 * pool's threads directly, so that they are answered while the thread that owns the pool is blocked itself. A handle ends
 * with the scope that it was made in, or when whoever opened it disposes of it; either interrupts what it was used for.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as BlockingError from "./BlockingError.ts"
import * as FunctionCodec from "./FunctionCodec.ts"
import * as HostPool from "./HostPool.ts"
import { Bell } from "./internal/blocking/Bell.ts"
import type { BlockingCall } from "./internal/blocking/BlockingCall.ts"
import { type CallError, Caller } from "./internal/blocking/Caller.ts"
import type { Channels } from "./internal/blocking/Channels.ts"
import * as Handles from "./internal/blocking/Handle.ts"
import { Board, type Place } from "./internal/pool/Board.ts"
import type { ThreadError } from "./Thread.ts"

export type { Channel, Channels } from "./internal/blocking/Channels.ts"

/** Reaches a pool from another thread, or from synchronous code of its owner's. One caller opens it, once. */
export interface Handle<in out Self> {
  readonly "~fiberhost/core/Blocking/handle"?: (_: Self) => Self
}

/** Why there is no answer: a `BlockingError` if it was the waiting, a `HostCallError` if it was the call. */
export type { CallError }

/** `timeout`: how long to block at most; a `TimedOut` error says that it was not long enough. Default: for ever. */
export interface Options {
  readonly timeout?: Duration.Input
}

/** The answer to one call. Several may be outstanding, and are received in any order. */
export interface Receiver<out A, out E> extends Disposable {
  /** Blocks until the answer is there. It may be received again. After `TimedOut` the call goes on. */
  readonly recv: (options?: Options) => Result.Result<A, E | CallError>
  /** As `recv`, and throws what that fails with. */
  readonly recvOrThrow: (options?: Options) => A
  /** The answer, if it is there. */
  readonly tryRecv: () => Option.Option<Result.Result<A, E | CallError>>
  /** Interrupts the call, unless it is answered. */
  readonly [Symbol.dispose]: () => void
}

/** A function of a pool for synchronous code. */
export interface BlockingFunction<R extends Rpc.Any> {
  /** Starts a call, and blocks while there is no room for it. It fails when its arguments do not fit the contract. */
  readonly spawnBlocking: (
    payload: Rpc.Payload<R>,
    options?: Options
  ) => Result.Result<Receiver<Rpc.Success<R>, Rpc.Error<R>>, CallError>
  /** As `spawnBlocking`, and throws what that fails with. */
  readonly spawnBlockingOrThrow: (payload: Rpc.Payload<R>, options?: Options) => Receiver<Rpc.Success<R>, Rpc.Error<R>>
  /** Starts a call, or fails with `NoRoom` (or `WouldDeadlock`, when no room would come). */
  readonly trySpawn: (payload: Rpc.Payload<R>) => Result.Result<Receiver<Rpc.Success<R>, Rpc.Error<R>>, CallError>
  /** As `trySpawn`, and throws what that fails with. */
  readonly trySpawnOrThrow: (payload: Rpc.Payload<R>) => Receiver<Rpc.Success<R>, Rpc.Error<R>>
  /** Blocks until the call is answered; its time covers waiting for room too. What it leaves when it times out is interrupted. */
  readonly run: (payload: Rpc.Payload<R>, options?: Options) => Result.Result<Rpc.Success<R>, Rpc.Error<R> | CallError>
  /** As `run`, and throws what that fails with. */
  readonly runOrThrow: (payload: Rpc.Payload<R>, options?: Options) => Rpc.Success<R>
}

/** Functions with one answer. Streams have readers that take turns with their writers, which a blocked thread does not. */
type Single<R extends Rpc.Any> = R extends Rpc.Any
  ? [Rpc.Success<R>] extends [Stream.Stream<infer _A, infer _E, infer _Env>]
    ? never
    : R
  : never

/** The functions of an open handle, by tag. Disposing of it releases the handle. */
export type Opened<R extends Rpc.Any> = {
  readonly [Current in Single<R> as Current["_tag"]]: BlockingFunction<Current>
} & Disposable

/**
 * A handle of the pool, for as long as the scope. Complete once every thread of the pool listens to it. A caller's thread that
 * is terminated cannot say so: what it has in the pool runs, and keeps its room, until the scope ends. So let the scope end with
 * the thread.
 */
export const handle = <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  channels: Channels
): Effect.Effect<Handle<Self>, ThreadError, Scope.Scope | Self> =>
  Effect.flatMap(contract, (pool) =>
    Effect.map(
      HostPool.admit(pool, channels),
      (admission): Handles.Handle => ({ fiberhost: "handle", owner: channels.threadId, ...admission })
    )
  ) as Effect.Effect<Handle<Self>, ThreadError, Scope.Scope | Self>

/** Opens a handle in the calling thread. Throws a `BlockingError` (`HandleRefused`) when that cannot be. */
export const open = <Self, R extends Rpc.Any, Init>(
  contract: HostPool.Any<Self, R, Init>,
  handle: Handle<Self>,
  channels: Channels
): Opened<R> => {
  const refused = (detail: string) =>
    new BlockingError.BlockingError({
      function: contract.key,
      reason: new BlockingError.HandleRefused({ detail })
    })
  const given = Option.getOrUndefined(decodeHandle(handle))
  if (given === undefined) throw refused("this is no handle. Give it the value that `handle` made")
  if (given.contract !== contract.key) throw refused(`this is a handle of "${given.contract}"`)
  const mismatch = FunctionCodec.mismatch(contract.codecs, given.functions)
  if (mismatch !== undefined) throw refused(mismatch)
  if (given.bell.byteLength < Bell.make(new Board(given.board).size).memory.byteLength) throw refused("it is damaged")
  const bell = new Bell(given.bell)
  if (!bell.open(channels.threadId)) {
    throw refused(
      bell.isReleased
        ? "it was released: its scope has ended, or its caller has left. Make another"
        : "it is open already. Make a handle for each caller"
    )
  }

  const codecs = Array.from(contract.codecs.values())
  const caller = new Caller(given, codecs, channels)
  const functions: Record<string, unknown> = {}
  for (const [index, codec] of codecs.entries()) {
    if (!codec.streams) functions[codec.name] = functionOf(caller, index)
  }
  return Object.assign(functions, { [Symbol.dispose]: () => caller.close() }) as unknown as Opened<R>
}

/** A watcher's side: its owner lives. */
export const beat = (board: SharedArrayBuffer): void => new Board(board).beat()

/**
 * A watcher's side: the thread in that place has ended. It is not alive for its pool any more, and who waits for it looks
 * again.
 */
export const announceEnd = (board: SharedArrayBuffer, place: Place, bells: Iterable<SharedArrayBuffer>): void => {
  new Board(board).lose(place)
  for (const memory of bells) new Bell(memory).ring()
}

const decodeHandle = Schema.decodeUnknownOption(Handles.Handle)

/** Types are the contract's; its codecs check what they say. */
const functionOf = (caller: Caller, index: number): BlockingFunction<Rpc.Any> => {
  const received = Result.map((call: BlockingCall) => receiverOf(caller, call))
  const trySpawn = (payload: unknown) => received(caller.trySpawn(index, payload))
  const spawnBlocking = (payload: unknown, options?: Options) =>
    received(caller.spawn(index, payload, millisecondsOf(options)))
  const run = (payload: unknown, options?: Options): Result.Result<unknown, unknown> =>
    Result.flatMap(caller.run(index, payload, millisecondsOf(options)), answerOf)
  const functions = {
    spawnBlocking,
    spawnBlockingOrThrow: (payload: unknown, options?: Options) => getOrThrow(spawnBlocking(payload, options)),
    trySpawn,
    trySpawnOrThrow: (payload: unknown) => getOrThrow(trySpawn(payload)),
    run,
    runOrThrow: (payload: unknown, options?: Options) => getOrThrow(run(payload, options))
  }
  return functions as unknown as BlockingFunction<Rpc.Any>
}

const receiverOf = (caller: Caller, call: BlockingCall): Receiver<unknown, unknown> => {
  const recv = (options?: Options): Result.Result<unknown, unknown> => {
    const failure = caller.wait(call, millisecondsOf(options))
    return failure === undefined ? answerOf(call) : Result.fail(failure)
  }
  return {
    recv: recv as Receiver<unknown, unknown>["recv"],
    recvOrThrow: (options) => getOrThrow(recv(options)),
    tryRecv: () => {
      if (!call.isSettled) caller.read()
      return call.isSettled ? Option.some(answerOf(call) as Result.Result<unknown, CallError>) : Option.none()
    },
    [Symbol.dispose]: () => call.interrupt()
  }
}

/** A call's exit has no defects and no interruptions: those arrive as a `HostCallError`. */
const answerOf = ({ exit }: BlockingCall): Result.Result<unknown, unknown> =>
  Exit.isSuccess(exit) ? Result.succeed(exit.value) : Result.fail(Cause.squash(exit.cause))

const millisecondsOf = (options: Options | undefined): number =>
  options?.timeout === undefined ? Infinity : Duration.toMillis(options.timeout)

const getOrThrow = <A>(result: Result.Result<A, unknown>): A => Result.getOrThrowWith(result, (error) => error)
