/**
 * Guests on threads of their own: the executor of `GuestExecutor`, with the same promises, over one or several threads.
 *
 * Values are encoded and decoded, and host functions run, where the application is; a guest's thread runs guests and
 * nothing else. Many guests share a thread, and a guest that does not return holds up the others of its thread only. A
 * sync host function may take its time: its guest's thread waits for it. A lost thread fails the calls of its guests, and
 * is replaced when the next plugin is loaded.
 */
import * as Admission from "@fiberhost/core/Admission"
import * as Count from "@fiberhost/core/Count"
import * as Deadline from "@fiberhost/core/Deadline"
import * as HostFunction from "@fiberhost/core/HostFunction"
import type * as Thread from "@fiberhost/core/Thread"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as GuestError from "./GuestError.ts"
import * as GuestExecutor from "./GuestExecutor.ts"
import * as CallGate from "./internal/call/CallGate.ts"
import type { Instance } from "./internal/call/Instance.ts"
import * as GuestLimits from "./internal/guest/GuestLimits.ts"
import * as RunningHostCall from "./internal/host/RunningHostCall.ts"
import * as Link from "./internal/module/Link.ts"
import * as ModuleCache from "./internal/module/ModuleCache.ts"
import * as ControlCall from "./internal/thread/ControlCall.ts"
import * as GuestWire from "./internal/thread/GuestWire.ts"
import { RemoteGuest } from "./internal/thread/RemoteGuest.ts"
import * as RemoteThread from "./internal/thread/RemoteThread.ts"
import * as PluginModule from "./PluginModule.ts"

/** `concurrency`, `capacity` and `whenFull` are those of all threads together. */
export interface Options extends GuestExecutor.Options {
  /** The module that each thread runs: `GuestRunner` on the platform's port. */
  readonly program: URL
  /** How many threads guests are spread over, 1 or more. Default: 1. */
  readonly threads?: number
  /** How long closing waits for a guest that does not return, before its thread is terminated. Default: 5 seconds. */
  readonly grace?: Duration.Input
}

/** Fails when a thread cannot begin. */
export const layer = (options: Options): Layer.Layer<GuestExecutor.GuestExecutor, Thread.ThreadError, Thread.Threads> =>
  Layer.effect(GuestExecutor.GuestExecutor, make(options))

/** What `layer` provides, for as long as the scope. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<GuestExecutor.GuestExecutor["Service"], Thread.ThreadError, Thread.Threads | Scope.Scope> {
  const admission = Admission.make(options)
  const gate = CallGate.make(admission, options)
  const grace = options.grace ?? "5 seconds"
  const count = Count.finite("threads", options.threads ?? 1, 1)
  const compile = yield* ModuleCache.make
  const services = yield* Effect.context<Thread.Threads>()
  const scope = yield* Scope.make("parallel")
  const guests = new Set<RemoteGuest>()
  let closed = false
  let lastGuest = 0
  yield* Effect.addFinalizer((exit) =>
    Effect.suspend(() => {
      closed = true
      admission.close()
      // All at once: a host function of one may wait for another.
      return Effect.forEach(guests, (guest) => guest.close(grace), { concurrency: "unbounded", discard: true })
    }).pipe(Effect.andThen(Scope.close(scope, exit)))
  )

  /** A thread in a scope of its own, which is closed when the thread is replaced. */
  const start = (number: number) =>
    Effect.flatMap(Scope.fork(scope), (scope) =>
      RemoteThread.start({ program: options.program, name: `guests#${number}`, grace }).pipe(
        Scope.provide(scope),
        Effect.provideContext(services),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.map((thread) => ({ thread, close: Scope.close(scope, Exit.void) }))
      )
    )
  const threads = yield* Effect.forEach(Array.from({ length: count }).keys(), start, { concurrency: "unbounded" })
  const replacing = yield* Semaphore.make(1)

  /**
   * The thread with the fewest guests of the plugin, then of all plugins; one that waits for a sync host function only
   * where all do. Lost ones are replaced first.
   */
  const choose = Effect.fnUntraced(function* (plugin: string) {
    for (const [number, { close, thread }] of threads.entries()) {
      if (!thread.isOver) continue
      threads[number] = yield* start(number)
      yield* close
    }
    const all = threads.map(({ thread }) => thread)
    const free = all.filter((thread) => thread.blockedBy === undefined)
    return (free.length > 0 ? free : all).reduce((least, thread) => {
      const more = thread.guestsOf(plugin) - least.guestsOf(plugin)
      return more < 0 || (more === 0 && thread.guests.size < least.guests.size) ? thread : least
    })
  }, replacing.withPermits(1))

  const load = Effect.fnUntraced(function* ({
    hosts,
    limits,
    module: source,
    onPlace,
    require,
    signature
  }: GuestExecutor.LoadOptions): Effect.fn.Return<Instance, GuestError.GuestError, Scope.Scope> {
    const { plugin } = signature
    const guestLimits = GuestLimits.of(limits)
    const refuse = (reason: GuestError.Reason) => new GuestError.GuestError({ plugin, reason })
    const module = yield* compile(source, plugin, limits.memory)
    const missing = yield* Link.resolve(module.interface, signature, require)
    const context = HostFunction.withoutCaller(yield* Effect.context<never>())

    if (closed) return yield* refuse(GuestError.closed)
    const thread = yield* Effect.mapError(choose(plugin), ({ message, thread }) =>
      refuse(new GuestError.ThreadLost({ thread, detail: message }))
    )
    const hostFunction = RunningHostCall.blockedBy(context, thread)
    if (hostFunction !== undefined) return yield* refuse(new GuestError.WouldDeadlock({ hostFunction }))
    // Looked at in the step that registers the guest: the executor may have closed while the thread was chosen.
    const open = Effect.suspend(() => {
      if (closed) return Effect.fail(refuse(GuestError.closed))
      const guest = new RemoteGuest({
        number: ++lastGuest,
        thread,
        signature,
        hosts,
        context,
        missing,
        limits: guestLimits
      })
      guests.add(guest)
      thread.add(guest)
      return Effect.succeed(guest)
    })
    const guest = yield* Effect.acquireRelease(open, (guest) =>
      Effect.ensuring(
        guest.close(grace),
        Effect.sync(() => guests.delete(guest))
      )
    )
    onPlace?.(guest)
    const { compiled, imports, signaturesChecked } = PluginModule.instantiable(module)
    const loading = ControlCall.run(guest.thread.connection, GuestWire.control.load, {
      guest: guest.number,
      plugin,
      imports: signature.imports,
      exports: signature.exports,
      module: compiled,
      moduleImports: imports,
      signaturesChecked,
      limits: guestLimits,
      stats: guest.sharedStats
    }).pipe(Effect.mapError(() => refuse(guest.thread.loss)))
    const loaded = yield* withinDeadline(guest, loading, gate.deadline)
    if (Result.isFailure(loaded)) return yield* refuse(loaded.failure as GuestError.Reason)

    return guest
  })

  return GuestExecutor.GuestExecutor.of({ load, gate, drain: admission.drain, stats: () => admission.stats })
})

/** A start function may not return: it has the time of a call. */
const withinDeadline = Effect.fnUntraced(function* <A, E>(
  guest: RemoteGuest,
  loading: Effect.Effect<A, E>,
  deadline: number
) {
  const { plugin } = guest.signature
  const own = (yield* Deadline.Current) - Deadline.now(guest.context)
  const milliseconds = Math.max(0, Math.min(deadline, own))
  if (milliseconds === Infinity) return yield* loading
  const loaded = yield* Effect.timeoutOption(loading, milliseconds)
  if (Option.isSome(loaded)) return loaded.value
  const isEntered = guest.isEntered
  if (isEntered) guest.terminate(`the start function of ${plugin} did not return within ${milliseconds} ms`)
  const [waiting, inGuest] = isEntered ? [0, milliseconds] : [milliseconds, 0]
  const phase = isEntered ? "guest" : "waiting"
  const reason = new GuestError.DeadlineExceeded({ phase, waiting, inGuest, inHost: 0 })
  return yield* new GuestError.GuestError({ plugin, reason })
})
