/**
 * Owner's side: a call whose answer is a stream. Elements wait here until its reader takes them, and only what has been
 * taken is acknowledged: a reader that is slow suspends the function that it reads from.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import { tell } from "../../Foreign.ts"
import type { FunctionCodec } from "../../FunctionCodec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as Wire from "../../Wire.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import { TypedCall } from "./PoolCall.ts"

type Elements = readonly [unknown, ...Array<unknown>]

export class StreamCall extends TypedCall {
  private elements: Array<unknown> = []
  private exit: Exit.Exit<unknown, unknown> | undefined
  private wake: (() => void) | undefined

  constructor(index: number, codec: FunctionCodec, key: unknown, payload: unknown) {
    super(index, codec, key, (exit) => this.end(exit), payload)
  }

  /** The next elements, when there are some. */
  readonly pull: Pull.Pull<Elements, unknown> = Effect.suspend(() => this.take() ?? this.wait)

  private readonly wait: Pull.Pull<Elements, unknown> = Effect.callback((resume) => {
    this.wake = () => {
      this.wake = undefined
      resume(this.take()!)
    }
    return Effect.sync(() => {
      this.wake = undefined
    })
  })

  override onChunk(reader: Reader, count: number): void {
    for (let left = count; left > 0; left--) {
      if (this.isSettled) {
        Wire.readValue(reader)
        continue
      }
      const element = Wire.withValue(reader, this.codec.readElement)
      if (Result.isSuccess(element)) {
        this.elements.push(element.success)
      } else {
        this.interrupt()
        this.end(Exit.fail(HostCallError.answerRefused(this.codec.name, element.failure)))
      }
    }
    // A thread may send a portion of none, for which its reader waits on.
    if (this.elements.length > 0) this.wakeReader()
  }

  private end(exit: Exit.Exit<unknown, unknown>): void {
    this.exit = exit
    this.wakeReader()
  }

  private wakeReader(): void {
    if (this.wake !== undefined) tell(this.wake, undefined)
  }

  private take(): Pull.Pull<Elements, unknown> | undefined {
    const elements = this.elements
    if (elements.length > 0) {
      this.elements = []
      this.acknowledge(elements.length)
      return Effect.succeed(elements as unknown as Elements)
    }
    if (this.exit === undefined) return undefined
    return Exit.isSuccess(this.exit) ? Cause.done() : Effect.failCause(this.exit.cause)
  }
}
