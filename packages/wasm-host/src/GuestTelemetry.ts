/**
 * Spans and metrics of guest calls, as a layer over whatever loads plugins: `Layer.provide(app, GuestTelemetry.layer)`.
 *
 * Each call is a span, a child of its caller's, with a child for each entry into the guest and one for each host function,
 * on whatever thread they ran; what a host function does is a child of its span, and what the guest logs belongs to it. Of a call
 * that another thread took with it when it ended the entries are not known, of one whose caller has left they are known a little
 * later than its end, and of any call the first 1000 are.
 * They go to the `Tracer` of the caller, the metrics to Effect's `Metric`. What a host function makes on a pool's thread goes to
 * the tracer that the pool's handlers have there. Without this layer nothing of it is made.
 *
 * | Metric | Attributes | What |
 * |---|---|---|
 * | `fiberhost_calls` | plugin, function, outcome | calls that have ended; the outcome is `answered`, `failed` (as the contract says), `interrupted`, `defect`, or the reason of a `GuestError` |
 * | `fiberhost_call_milliseconds` | plugin, phase | histogram of the time that calls spent in each `Phase` of `GuestError`: `waiting`, in the `guest`, in the `host` |
 * | `fiberhost_calls_waiting`, `fiberhost_calls_active` | plugin | calls of the plugin's executor, when one began or ended last |
 * | `fiberhost_guest_memory_bytes` | plugin | linear memory of the instance that was called last |
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as GuestError from "./GuestError.ts"
import type { Call } from "./internal/call/Call.ts"
import * as CallObserver from "./internal/call/CallObserver.ts"
import type { EntrySpan } from "./internal/call/Usage.ts"

const calls = Metric.counter("fiberhost_calls", { incremental: true })
const milliseconds = Metric.histogram("fiberhost_call_milliseconds", {
  boundaries: Metric.exponentialBoundaries({ start: 0.05, factor: 2, count: 20 })
})
const waiting = Metric.gauge("fiberhost_calls_waiting")
const active = Metric.gauge("fiberhost_calls_active")
const memory = Metric.gauge("fiberhost_guest_memory_bytes")

const observer = CallObserver.safe({
  onCall: (call) => {
    const { guest } = call
    const name = guest.nameOf(call.index)
    const plugin = { plugin: guest.plugin }
    const span = startSpan(call.context, `${guest.plugin}.${name}`, "client", { ...plugin, function: name })
    // A microtask later it is known whether it waits.
    queueMicrotask(() => countCalls(call))
    const within = span === undefined ? call.context : Context.add(call.context, Tracer.ParentSpan, span)
    const entries = (spans: ReadonlyArray<EntrySpan>) => {
      if (span === undefined) return
      for (const [began, ended] of spans) {
        startSpan(since(within, nanos(began)), "entry", "internal", plugin)?.end(nanos(ended), Exit.void)
      }
    }
    return {
      context: within,
      entries,
      end: (exit) => {
        const { context } = call
        const { inGuest, inHost, waiting } = call.spent()
        for (const [phase, time] of [
          ["waiting", waiting],
          ["guest", inGuest],
          ["host", inHost]
        ] as const) {
          Metric.withAttributes(milliseconds, { ...plugin, phase }).updateUnsafe(time, context)
          span?.attribute(`${phase}Milliseconds`, time)
        }
        const outcome = outcomeOf(exit)
        Metric.withAttributes(calls, { ...plugin, function: name, outcome }).updateUnsafe(1, context)
        span?.attribute("outcome", outcome)
        const usage = call.entered?.usage
        if (span !== undefined && usage !== undefined) {
          span.attribute("entries", usage.entries)
          entries(usage.spans)
        }
        span?.end(now(context), exit)
        countCalls(call)
      }
    }
  },
  onHostCall: ({ caller, plugin, signature }) => {
    const span = startSpan(caller, `${plugin}.${signature.name}`, "server", { plugin, hostFunction: signature.name })
    return {
      context: span === undefined ? caller : Context.add(caller, Tracer.ParentSpan, span),
      end: (exit) => span?.end(now(caller), exit)
    }
  }
})

/** For all plugins that are loaded under it. */
export const layer: Layer.Layer<never> = Layer.succeed(CallObserver.Current, observer)

const countCalls = ({ context, guest }: Call): void => {
  const stats = guest.gate.admission.stats
  const plugin = { plugin: guest.plugin }
  Metric.withAttributes(waiting, plugin).updateUnsafe(stats.waiting + stats.suspended, context)
  Metric.withAttributes(memory, plugin).updateUnsafe(guest.stats.memory, context)
  Metric.withAttributes(active, plugin).updateUnsafe(stats.active + stats.nested, context)
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "answered"
  if (Exit.hasInterrupts(exit)) return "interrupted"
  if (Exit.hasDies(exit)) return "defect"
  return GuestError.reasonOf(exit)?._tag ?? "failed"
}

const now = (context: Context.Context<never>): bigint =>
  Context.get(context, References.TracerTimingEnabled) ? Context.get(context, Clock.Clock).currentTimeNanosUnsafe() : 0n

/** Of milliseconds since the epoch. */
const nanos = (time: number): bigint => BigInt(Math.round(time * 1e6))

/** As Effect makes one in this context: under the nearest span that propagates, with its annotations, links and sampling. */
const startSpan = (
  context: Context.Context<never>,
  name: string,
  kind: Tracer.SpanKind,
  attributes: Readonly<Record<string, string>>
): Tracer.Span | undefined =>
  Context.get(context, References.TracerEnabled)
    ? Effect.runSyncWith(context)(Effect.makeSpan(name, { kind, attributes }))
    : undefined

/** The context for spans that began then. */
const since = (context: Context.Context<never>, startTime: bigint): Context.Context<never> => {
  const tracer = Context.get(context, Tracer.Tracer)
  return Context.add(context, Tracer.Tracer, Tracer.make({ span: (options) => tracer.span({ ...options, startTime }) }))
}
