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

/** The elements of a stream. The signal interrupts it at once, and so does a reader that stops. */
export const iterate = <A>(stream: Stream.Stream<A, unknown>, options: CallOptions | undefined): AsyncIterable<A> => {
  const elements = Stream.toAsyncIterable(Stream.provideService(stream, PinnedTo, options?.key))
  return { [Symbol.asyncIterator]: () => new Reader(elements[Symbol.asyncIterator](), options?.signal) }
}

/**
 * A reader that its signal stops, also while nobody waits for an element. It begins with the first that is asked for. Who asks for
 * several at once gets them one after another, as from an async generator: Effect's reader would take them from one another.
 */
class Reader<A> implements AsyncIterator<A> {
  private readonly reader: AsyncIterator<A>
  private readonly signal: AbortSignal | undefined
  private hasEnded = false
  private last: Promise<unknown> = Promise.resolve()

  constructor(reader: AsyncIterator<A>, signal: AbortSignal | undefined) {
    this.reader = reader
    this.signal = signal
  }

  next(): Promise<IteratorResult<A>> {
    const next = this.last.then(() => this.read())
    this.last = next.catch(() => {})
    return next
  }

  async return(): Promise<IteratorResult<A>> {
    this.end()
    await this.reader.return!()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<A>> {
    await this.return()
    throw error
  }

  private async read(): Promise<IteratorResult<A>> {
    const { signal } = this
    if (this.hasEnded) return { done: true, value: undefined }
    if (signal?.aborted) return this.aborted(signal)
    signal?.addEventListener("abort", this.abort)
    try {
      const next = await this.reader.next()
      if (signal?.aborted) return this.aborted(signal)
      if (next.done === true) this.end()
      return next
    } catch (error) {
      this.end()
      throw signal?.aborted ? signal.reason : error
    }
  }

  /** Interrupts what is under way, in a turn of its own: what runs in its payload may abort it, before the reader knows its fiber. */
  private readonly abort = (): void => queueMicrotask(() => void this.reader.return!())

  private aborted({ reason }: AbortSignal): never {
    this.end()
    throw reason
  }

  private end(): void {
    this.hasEnded = true
    this.signal?.removeEventListener("abort", this.abort)
  }
}

const settled = async (call: Effect.Effect<unknown, unknown>, signal: AbortSignal | undefined): Promise<unknown> => {
  signal?.throwIfAborted()
  try {
    return await Effect.runPromise(call, signal === undefined ? undefined : { signal })
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  }
}
