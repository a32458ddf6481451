/**
 * Callee's side of one connection: runs the functions that it is called for, and answers.
 *
 * A call is read where it lies in the message, its handler runs in a fiber of its own unless it has its answer at once,
 * and the answer is written into the next message.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { CodecError } from "../../CodecError.ts"
import * as Connection from "../../Connection.ts"
import * as Deadline from "../../Deadline.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as HostFunction from "../../HostFunction.ts"
import { IdTable } from "../../IdTable.ts"
import type * as Wire from "../../Wire.ts"
import * as CallerContext from "../CallerContext.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import { ElementSender } from "./ElementSender.ts"

/** What calls are served with, the same for all connections of a thread. */
export interface Service {
  /** In the contract's order. */
  readonly functions: ReadonlyArray<HostFunction.Implementation>
  /** What handlers are called in. */
  readonly context: Context.Context<never>
  /** The function of this index begins. */
  readonly onBegin: (index: number) => void
}

export interface Options {
  readonly port: Wire.Port
  readonly service: Service
  /** A call begins: before its arguments are read. */
  readonly onEntered?: () => void
  /** It has begun: its handler has ended, or waits for something. */
  readonly onReturned?: () => void
  /** The answer of a call leaves: its place is free. */
  readonly onAnswered: () => void
  readonly onSignal: (id: number, reader: Reader) => void
  readonly onFault: (detail: string) => void
  /** Whether the thread has something else to do than to wait for calls. */
  readonly isBusy: () => boolean
}

/** A call that has no answer yet. */
interface Running {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Of a stream. */
  readonly sender?: ElementSender
}

export class CallServer implements Connection.Server {
  readonly connection: Connection.Connection
  private readonly options: Options
  /** Calls whose answers have not been sent. */
  unanswered = 0
  /** Of those, answers that are written. */
  private answered = 0
  private readonly running = new IdTable<Running>()

  constructor(options: Options) {
    this.options = options
    this.connection = new Connection.Connection(options.port, this, options.onFault)
  }

  /**
   * Places are given back with the answers that leave: an answer that its thread's end overtakes has its place still, and before
   * the caller can have read it he finds room.
   */
  onSend(): void {
    for (; this.answered > 0; this.answered--) {
      this.unanswered--
      this.options.onAnswered()
    }
  }

  /** A handler that runs, and the end of the handlers, need the thread's other turns. */
  get awaitsMessage(): boolean {
    return !this.isRunning && !this.options.isBusy()
  }

  get isRunning(): boolean {
    return this.running.size > 0
  }

  /** What runs. It is answered when it has ended. */
  get fibers(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    return this.running.members.map(({ fiber }) => fiber)
  }

  onCall(call: Connection.IncomingCall, reader: Reader): void {
    this.options.onEntered?.()
    this.begin(call, reader)
    this.options.onReturned?.()
  }

  /** Caller to function: the call, step by step: arguments read, the handler run, its answer written. */
  private begin(call: Connection.IncomingCall, reader: Reader): void {
    const { flags, id, index } = call
    const { service } = this.options
    const implementation = service.functions[index]
    if (implementation === undefined) return reader.malformed(reader.offset, `there is no function ${index}`)
    this.unanswered++
    const { codec } = implementation
    const isTyped = (flags & Connection.typedFlag) !== 0
    const payload = isTyped ? codec.readArguments(reader) : reader.plain(codec.readArguments)
    if (Result.isFailure(payload)) return this.fail(id, HostCallError.argumentsRefused(codec.name, payload.failure))
    service.onBegin(index)
    if (codec.streams) return this.serveStream(call, implementation, payload.success)

    const effect = implementation.perform(payload.success)
    if (HostFunction.isExit(effect)) return this.answer(id, flags, implementation, effect)
    const fiber = this.fork(call, effect)
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
    this.options.onSignal(id, reader)
  }

  private serveStream(
    call: Connection.IncomingCall,
    implementation: HostFunction.Implementation,
    payload: unknown
  ): void {
    const { codec, stream } = implementation
    const { id } = call
    const sender = new ElementSender(this.connection, id, codec)
    const run = Stream.runForEachArray(stream(payload), sender.send)
    const fiber = this.fork(call, run)
    this.running.set(id, { fiber, sender })
    fiber.addObserver((exit) => {
      this.running.delete(id)
      this.answer(id, Connection.typedFlag, implementation, HostFunction.settle(codec, exit))
    })
  }

  /** Runs what the call is for, under what crossed of its caller's context. */
  private fork<A, E>(
    { callerContext, timeLeft }: Connection.IncomingCall,
    effect: Effect.Effect<A, E>
  ): Fiber.Fiber<A, E> {
    const { context } = this.options.service
    const given = callerContext === undefined ? context : CallerContext.provide(context, callerContext)
    return Effect.runForkWith(given)(timeLeft === Infinity ? effect : Deadline.within(effect, timeLeft))
  }

  private answer(
    id: number,
    flags: number,
    { codec }: HostFunction.Implementation,
    exit: Exit.Exit<HostFunction.Answer, HostCallError.HostCallError>
  ): void {
    if (Exit.isSuccess(exit)) this.reply(id, flags, codec, exit.value)
    else this.fail(id, HostCallError.fromCause(codec.name, exit.cause))
  }

  private reply(
    id: number,
    flags: number,
    codec: HostFunction.Implementation["codec"],
    answer: HostFunction.Answer
  ): void {
    let refused: CodecError | undefined
    if ((flags & Connection.typedFlag) !== 0) {
      refused = this.connection.replyWith(id, (writer) => {
        const unfit = codec.writeAnswer(answer, writer)
        // Counted here: it may have left when this returns.
        if (unfit === undefined) this.answered++
        return unfit
      })
    } else {
      const bytes = codec.encodeAnswer(answer)
      if (Result.isFailure(bytes)) refused = bytes.failure
      else {
        this.connection.reply(id, bytes.success)
        this.answered++
      }
    }
    if (refused !== undefined) this.fail(id, HostCallError.answerRefused(codec.name, refused))
  }

  private fail(id: number, error: HostCallError.HostCallError): void {
    this.connection.fail(id, HostCallError.encode(error))
    this.answered++
  }
}
