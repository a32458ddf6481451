/** The promise face of a pool whose functions are Effects and Streams. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type CallOptions, PinnedTo, type PoolBackend } from "./PoolBackend.ts"

export const fromEffects = (
  call: PoolBackend["call"],
  stream: PoolBackend["stream"]
): Pick<PoolBackend, "promise" | "iterate"> => ({
  promise: (index, payload, options) =>
    settled(Effect.provideService(call(index, payload, whenFull(options)), PinnedTo, options?.key), options?.signal),
  iterate: (index, payload, options) => iterate(stream(index, payload, whenFull(options)), options)
})

export const whenFull = (options: CallOptions | undefined): "suspend" | "fail" =>
  options?.try === true ? "fail" : "suspend"

/** The elements of a stream. The signal interrupts it, and so does a reader that stops. */
export const iterate = <A>(stream: Stream.Stream<A, unknown>, options: CallOptions | undefined): AsyncIterable<A> => {
  const pinned = Stream.provideService(stream, PinnedTo, options?.key)
  const signal = options?.signal
  if (signal === undefined) return Stream.toAsyncIterable(pinned)
  const aborted = Effect.callback<never, unknown>((resume) => {
    const abort = () => resume(Effect.fail(signal.reason))
    if (signal.aborted) return abort()
    signal.addEventListener("abort", abort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", abort))
  })
  return Stream.toAsyncIterable(Stream.interruptWhen(pinned, aborted))
}

const settled = async (call: Effect.Effect<unknown, unknown>, signal: AbortSignal | undefined): Promise<unknown> => {
  signal?.throwIfAborted()
  try {
    return await Effect.runPromise(call, signal === undefined ? undefined : { signal })
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error
  }
}
