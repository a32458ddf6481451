/**
 * Worker side of a pool: serves the pool's functions to the thread that owns this one.
 *
 * A call is read where it lies in the message, its handler runs in a fiber of its own unless it has its answer at once,
 * and the answer is written into the next message. It answers nothing before `serve`, and the end of the scope
 * that `serve` runs in interrupts what runs.
 */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CodecError } from "./CodecError.ts"
import * as Connection from "./Connection.ts"
import * as HostCallError from "./HostCallError.ts"
import * as HostFunction from "./HostFunction.ts"
import type { Reader } from "./internal/msgpack/MsgPackReader.ts"
import { ElementSender } from "./internal/pool/ElementSender.ts"
import * as Signal from "./internal/pool/Signal.ts"
import * as Wire from "./Wire.ts"

export interface Options {
  readonly port: Wire.Port
  /** Shared with the owner: where the index, plus one, of the function that begins is written. */
  readonly ran: Int32Array
  /** The owner wants this thread to end. */
  readonly onClose: () => void
}

export class HostServer implements Connection.Server {
  readonly connection: Connection.Connection
  private functions: ReadonlyArray<HostFunction.Implementation> = []
  private readonly ran: Int32Array
  private readonly onClose: () => void
  private runFork: RunFork = Effect.runFork
  private closing = false
  private readonly running = new Map<
    number,
    { readonly fiber: Fiber.Fiber<unknown, unknown>; sender?: ElementSender }
  >()

  constructor(options: Options) {
    this.ran = options.ran
    this.onClose = options.onClose
    this.connection = new Connection.Connection(options.port, this, (detail) => {
      // The owner's messages cannot be trusted: this thread ends, and the owner sees it.
      throw new Error(`the owner of this thread sent what is no frame: ${detail}`)
    })
  }

  /** Tells the owner that calls are served from now on: in the contract's order, until the scope ends. */
  serve(functions: ReadonlyArray<HostFunction.Implementation>): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.map(Effect.context<never>(), (context) => {
        this.functions = functions
        this.runFork = Effect.runForkWith(context)
        this.connection.signal(Signal.ready, nothing)
      }),
      () => Effect.suspend(() => Fiber.interruptAll(Array.from(this.running.values(), ({ fiber }) => fiber)))
    )
  }

  /** A handler that runs, and the end of the handlers, need the thread's other turns. */
  get awaitsMessage(): boolean {
    return this.running.size === 0 && !this.closing
  }

  /** Owner to worker: the call, step by step: arguments read, the handler run, its answer written. */
  onCall({ flags, id, index }: Connection.IncomingCall, reader: Reader): void {
    const implementation = this.functions[index]
    if (implementation === undefined) return reader.malformed(reader.offset, `there is no function ${index}`)
    const { codec } = implementation
    const isTyped = (flags & Connection.typedFlag) !== 0
    const payload = isTyped ? codec.readArguments(reader) : reader.plain(() => codec.readArguments(reader))
    if (Result.isFailure(payload)) return this.fail(id, HostFunction.argumentsRefused(codec.name, payload.failure))
    this.ran[0] = index + 1
    if (codec.streams) return this.serveStream(id, implementation, payload.success)

    const effect = implementation.perform(payload.success)
    if (HostFunction.isExit(effect)) return this.answer(id, flags, implementation, effect)
    const fiber = this.runFork(effect)
    this.running.set(id, { fiber })
    fiber.addObserver((exit) => {
      this.running.delete(id)
      this.answer(id, flags, implementation, exit)
    })
  }

  onInterrupt(id: number): void {
    this.running.get(id)?.fiber.interruptUnsafe()
  }

  onAck(id: number, count: number): void {
    this.running.get(id)?.sender?.acknowledged(count)
  }

  onSignal(id: number, reader: Reader): void {
    Wire.readValue(reader)
    if (id !== Signal.close) return
    this.closing = true
    this.onClose()
  }

  private serveStream(id: number, { codec, stream }: HostFunction.Implementation, payload: unknown): void {
    const sender = new ElementSender(this.connection, id, codec)
    const fiber = this.runFork(Stream.runForEachArray(stream(payload), sender.send))
    this.running.set(id, { fiber, sender })
    fiber.addObserver((exit) => {
      this.running.delete(id)
      if (Exit.isSuccess(exit)) return this.reply(id, typed, codec, Result.succeed(undefined))
      const error = Cause.findError(exit.cause)
      if (Result.isFailure(error)) return this.fail(id, HostCallError.fromCause(codec.name, error.failure))
      if (error.success instanceof HostCallError.HostCallError) return this.fail(id, error.success)
      this.reply(id, typed, codec, Result.fail(error.success))
    })
  }

  private answer(
    id: number,
    flags: number,
    { codec }: HostFunction.Implementation,
    exit: Exit.Exit<HostFunction.Answer, HostCallError.HostCallError>
  ): void {
    if (Exit.isSuccess(exit)) return this.reply(id, flags, codec, exit.value)
    const error = Cause.findError(exit.cause)
    this.fail(id, Result.isSuccess(error) ? error.success : HostCallError.fromCause(codec.name, error.failure))
  }

  private reply(
    id: number,
    flags: number,
    codec: HostFunction.Implementation["codec"],
    answer: HostFunction.Answer
  ): void {
    let refused: CodecError | undefined
    if ((flags & Connection.typedFlag) !== 0) {
      refused = this.connection.replyWith(id, (writer) => codec.writeAnswer(answer, writer))
    } else {
      const bytes = codec.encodeAnswer(answer)
      if (Result.isSuccess(bytes)) this.connection.reply(id, bytes.success)
      else refused = bytes.failure
    }
    if (refused !== undefined) this.fail(id, HostFunction.answerRefused(codec.name, refused))
  }

  private fail(id: number, error: HostCallError.HostCallError): void {
    this.connection.fail(id, HostCallError.encode(error))
  }
}

type RunFork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

const typed = Connection.typedFlag
const nothing = new Uint8Array(0)
