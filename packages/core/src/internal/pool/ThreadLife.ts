/**
 * Owner's side: the life of one thread of a pool, as an Effect that ends with it: started, told what it needs, ready,
 * given calls, and lost. When it is interrupted the thread is told to end, and terminated if it does not.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type { LogLevel } from "effect/LogLevel"
import * as References from "effect/References"
import * as FunctionCodec from "../../FunctionCodec.ts"
import * as Thread from "../../Thread.ts"
import { Table } from "../blocking/WaitsFor.ts"
import * as Escalation from "./Escalation.ts"
import type { Pool, Slot } from "./Pool.ts"
import { PoolThread } from "./PoolThread.ts"
import type * as Signal from "./Signal.ts"

export interface Options {
  readonly program: URL
  readonly contract: {
    readonly key: string
    readonly codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>
  }
  readonly initial: Uint8Array
  /** What is less than that is not logged there, unless a caller wants it. */
  readonly logLevel: LogLevel
  readonly grace: Duration.Input
  /** See `Escalation`. */
  readonly interrupted: Duration.Duration
}

/** Why a thread's life ended, whether it had answered a call, and whether the callers of any are told of its end. */
interface End {
  readonly error: Thread.ThreadError
  readonly proven: boolean
  readonly told: boolean
}

/** `onReady` runs once the thread takes calls. */
export const make =
  (pool: Pool, options: Options) =>
  (slot: Slot, onReady: Effect.Effect<unknown>): Effect.Effect<End, never, Thread.Threads> =>
    Effect.scoped(
      Effect.gen(function* () {
        const threads = yield* Thread.Threads
        const runFork = Effect.runForkWith(yield* Effect.context<never>())
        const { codecs, key } = options.contract
        const name = `${key}#${slot.number}`
        const place = pool.begin(slot)
        const data: Signal.Start = {
          contract: key,
          functions: FunctionCodec.signaturesOf(codecs),
          initial: options.initial,
          logLevel: options.logLevel,
          board: pool.board.memory,
          ...place,
          waits: (yield* Table).memory
        }
        const program = { module: options.program, name, data }
        const thread = yield* threads.start(program)
        const ready = Deferred.makeUnsafe<void, Thread.ThreadError>()
        const ended = Deferred.makeUnsafe<Thread.Loss>()
        let isServing = false
        const startFailed = (detail: string) =>
          Deferred.doneUnsafe(
            ready,
            Effect.fail(new Thread.ThreadError({ thread: name, reason: new Thread.StartFailed({ detail }) }))
          )
        const poolThread = new PoolThread(name, thread, Array.from(codecs.keys()), pool.board, place, {
          onReady: () => {
            isServing = true
            Deferred.doneUnsafe(ready, Effect.void)
          },
          onStartFailed: startFailed,
          onTerminate: () => pool.vacate(slot),
          onLeft: () => {
            if (!Duration.isFinite(options.interrupted)) return
            watch(Escalation.watch(poolThread, options.interrupted), { onlyIfMissing: true })
          },
          onRoom: (thread) => pool.pump(slot, thread),
          // It was wanted where it was logged: its call's log level may be another than the pool's.
          onLog: ({ annotations, level, messages, spans }) =>
            runFork(
              Effect.logWithLevel(level)(...messages).pipe(
                Effect.annotateLogs({ ...annotations, thread: name }),
                Effect.updateService(References.CurrentLogSpans, (around) => [...Object.entries(spans), ...around]),
                Effect.provideService(References.MinimumLogLevel, "All")
              )
            )
        })
        thread.onExit((exit) => {
          const loss = poolThread.loss(exit)
          if (isServing) pool.lost++
          pool.ended(slot, poolThread, exit)
          startFailed(Thread.describeLoss(loss) + (exit.exitCode === 0 ? servesNothing : ""))
          Deferred.doneUnsafe(ended, Effect.succeed(loss))
        })

        yield* Thread.awaitReady(program, ready)
        yield* Effect.addFinalizer(() =>
          Effect.suspend(() => {
            isServing = false
            pool.vacate(slot)
            poolThread.close()
            // Past the grace time the scope that it was started in terminates it.
            return Effect.timeoutOption(Deferred.await(ended), options.grace)
          })
        )
        const watch = yield* FiberHandle.makeRuntime<never>()
        if (!poolThread.isOver) pool.fill(slot, poolThread)
        yield* onReady
        const loss = yield* Deferred.await(ended)
        return {
          error: new Thread.ThreadError({ thread: name, reason: new Thread.Lost(loss) }),
          proven: poolThread.proven,
          told: poolThread.hasTold
        }
      })
    ).pipe(Effect.catch((error) => Effect.succeed({ error, proven: false, told: false })))

/** What is said of a program that ended by itself, without an error, before it took calls. */
const servesNothing = ". It serves no pool: the last thing that it does must be NodeHostRunner.run"
