/**
 * Worker side of a pool: the program of one of its threads, on any platform.
 *
 * It makes the handlers from their layer, serves them until the owner says that it should end, and closes them. What the
 * handlers log goes to the owner's loggers, at their callers' log levels. The spans that they make are children of their
 * callers', with what was logged in them, and go to the tracer of the handlers' own layer.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redactable from "effect/Redactable"
import * as References from "effect/References"
import * as Result from "effect/Result"
import type * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as Codec from "./Codec.ts"
import type { Connection } from "./Connection.ts"
import * as Foreign from "./Foreign.ts"
import * as FunctionCodec from "./FunctionCodec.ts"
import * as HostFunction from "./HostFunction.ts"
import type * as HostPool from "./HostPool.ts"
import type { Channels } from "./internal/blocking/Channels.ts"
import { Table, WaitsFor } from "./internal/blocking/WaitsFor.ts"
import * as Signal from "./internal/pool/Signal.ts"
import { HostServer } from "./internal/serve/HostServer.ts"
import type { Port } from "./Wire.ts"

/** This module was not started by a pool, or by the pool of another contract. */
export class NotAThread extends Schema.TaggedError<NotAThread>()("NotAThread", {
  contract: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return (
      `This is the program of a thread of pool "${this.contract}": ${this.detail}. ` +
      "Give its URL to the layer of the pool instead of running it"
    )
  }
}

/**
 * Serves a pool's handlers on `port` until its owner ends it. `start` is what the owner gave the thread; with `channels`
 * other threads that have a handle of the pool may call it too. Succeeds when
 * the handlers are closed; the owner has been told if they could not be made.
 */
export const run = <Self, R extends Rpc.Any, Init, E>(
  contract: HostPool.Any<Self, R, Init>,
  handlers: Layer.Layer<HostPool.Handlers<Self>, E, HostPool.Initial<Self>>,
  port: Port,
  start: unknown,
  channels?: Channels
): Effect.Effect<void, NotAThread> =>
  Effect.gen(function* () {
    const notAThread = (detail: string) => new NotAThread({ contract: contract.key, detail })
    const started = yield* Effect.mapError(Schema.decodeUnknownEffect(Signal.Start)(start), () =>
      notAThread("nobody that owns it has started it")
    )
    if (started.contract !== contract.key) return yield* notAThread(`pool "${started.contract}" has started it`)
    const closing = Deferred.makeUnsafe<void>()
    const server = new HostServer({
      port,
      start: started,
      channels,
      onClose: () => Deferred.doneUnsafe(closing, Effect.void)
    })
    yield* serve(contract, handlers, server, started, closing).pipe(
      Effect.scoped,
      Effect.catchCause((cause) =>
        Effect.sync(() => {
          server.connection.signal(
            Signal.startFailed,
            Signal.encode(Signal.detailCodec, textOf(Foreign.prettyOf(cause)))
          )
        })
      ),
      Effect.provide(Logger.layer([forward(server.connection), Logger.tracerLogger])),
      Effect.provideService(References.MinimumLogLevel, started.logLevel),
      Effect.provideService(Table, new WaitsFor(started.waits))
    )
    server.connection.flush()
  })

const serve = Effect.fnUntraced(function* <Self, R extends Rpc.Any, Init, E>(
  contract: HostPool.Any<Self, R, Init>,
  handlers: Layer.Layer<HostPool.Handlers<Self>, E, HostPool.Initial<Self>>,
  server: HostServer,
  started: Signal.Start,
  closing: Deferred.Deferred<void>
) {
  const mismatch = FunctionCodec.mismatch(contract.codecs, started.functions)
  if (mismatch !== undefined) return yield* Effect.die(new Error(mismatch))
  const initial = Codec.decodeFromBytes(contract.initialCodec, started.initial)
  if (Result.isFailure(initial)) return yield* initial.failure.under("initial")
  const provided = Layer.provide(handlers, Layer.succeed(contract.initial, initial.success))
  const implementations = Context.get(yield* Layer.build(provided), contract.handlers)
  yield* server.serve(yield* HostFunction.inOrder(contract.codecs, implementations))
  yield* Deferred.await(closing)
})

/** Worker to owner: a line of the log, at once, as text: of one that is too long, its beginning. */
const forward = (connection: Connection): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, logLevel, message }) => {
    let left = maxLineLength
    const cut = (value: unknown): string => {
      const text = textOf(value).slice(0, left)
      left -= text.length
      return text.toWellFormed()
    }
    const messages = (Array.isArray(message) ? message : [message]).slice(0, maxParts).map(cut)
    if (cause.reasons.length > 0) messages.push(cut(Foreign.prettyOf(cause)))
    const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations)).slice(0, maxParts)
    const spans = fiber.getRef(References.CurrentLogSpans).slice(0, maxParts)
    connection.signal(
      Signal.log,
      Signal.encode(Signal.logCodec, {
        level: logLevel === "All" || logLevel === "None" ? "Info" : logLevel,
        messages,
        annotations: Object.fromEntries(annotations.map(([key, value]) => [cut(key), cut(value)])),
        spans: Object.fromEntries(spans.map(([label, began]) => [cut(label), began]))
      })
    )
    // Before the thread does anything else: it may compute for long next, or end.
    connection.flush()
  })

/** An error is told with its stack and its cause, as a logger of its own thread would tell it. */
const textOf = (value: unknown): string => {
  try {
    const isError = Foreign.isA(value, Error)
    const text = isError ? Cause.pretty(Cause.die(value)) : Inspectable.toStringUnknown(legible(value, []), 0)
    return text.slice(0, maxTextLength).toWellFormed()
  } catch {
    return Foreign.textOf(value)
  }
}

/**
 * The value, with what JSON leaves out of it told as Effect tells its own collections: maps, sets and typed arrays, in plain objects
 * and arrays and in one another. Others, and those that have a way to, tell of themselves: they may have something to hide, and
 * Effect's `Formatter.format` does not ask them.
 */
const legible = (value: unknown, around: ReadonlyArray<unknown>): unknown => {
  if (typeof value !== "object" || value === null || Redactable.isRedactable(value)) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value
  if ("toJSON" in value) return value
  if (around.includes(value)) return "[Circular]"
  const inside = [...around, value]
  if (Array.isArray(value)) return value.map((item) => legible(item, inside))
  if (isCollection(value)) {
    const told = Iterator.from(value).take(maxValues)
    return { _id: value.constructor.name, values: Array.from(told, (item) => legible(item, inside)) }
  }
  const isPlain = [null, Object.prototype].includes(Object.getPrototypeOf(value))
  if (!isPlain) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, legible(item, inside)]))
}

const isCollection = (value: object): value is Iterable<unknown> =>
  value instanceof Map || value instanceof Set || (ArrayBuffer.isView(value) && Symbol.iterator in value)

/** Characters of one part of a line of the log. A line that does not fit its frame would be the end of the thread. */
const maxTextLength = 100_000
/** Values of a collection that may come into its text: each takes a comma, too. */
const maxValues = maxTextLength / 2
/** Characters of all of its parts. */
const maxLineLength = 1_000_000
/** How many messages a line has at most, how many annotations, and how many spans. */
const maxParts = 1000
