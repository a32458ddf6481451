import { assert, layer } from "@effect/vitest"
import { GuestCall, GuestTelemetry } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer, Logger, Metric, Option, Tracer } from "effect"
import { Conformance, conformanceModule, hostOf } from "../fixtures/conformance.ts"
import type { Topology } from "../fixtures/topologies.ts"

/** What is seen of calls from outside. */
export const telemetrySuite = ({ conformance, executor, name }: Topology) =>
  layer(Layer.merge(executor(), conformance))(`telemetry of a guest ${name}`, (it) => {
    /** A tracer that remembers its spans. */
    const remembered = Effect.sync(() => {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      return { spans, tracer }
    })
    const guestOf = (replaced: Parameters<typeof hostOf>[0] = {}) =>
      Conformance.make({ module: conformanceModule }).pipe(Effect.provide(hostOf(replaced)))
    const parentOf = (span: Tracer.Span) => Option.map(span.parent, ({ spanId }) => spanId)

    it.effect("without the layer no span is made", () =>
      Effect.gen(function* () {
        const { spans, tracer } = yield* remembered
        const guest = yield* guestOf()
        yield* guest.join({ count: 3 }).pipe(GuestCall.withDeadline("1 hour"), Effect.withTracer(tracer))
        assert.deepStrictEqual(spans, [])
      })
    )

    it.effect("a call is a span of its caller's, with its entries and host functions as children", () =>
      Effect.gen(function* () {
        const { spans, tracer } = yield* remembered
        const guest = yield* Effect.provide(
          guestOf({ host_delay: ({ id }) => Effect.as(Effect.yieldNow, id).pipe(Effect.withSpan("inner")) }),
          GuestTelemetry.layer
        )
        yield* guest.join({ count: 2 }).pipe(Effect.withSpan("outer"), Effect.withTracer(tracer))
        const named = (name: string) => spans.filter((span) => span.name === name)
        const [outer] = named("outer")
        const [call] = named("conformance/Conformance.join")
        assert.deepStrictEqual(parentOf(call!), Option.some(outer!.spanId))
        const hostCalls = named("conformance/Conformance.host_delay")
        const entries = named("entry")
        assert.strictEqual(hostCalls.length, 2)
        assert.strictEqual(entries.length, call!.attributes.get("entries"))
        assert.isAtLeast(entries.length, 2)
        for (const child of [...hostCalls, ...entries]) {
          assert.deepStrictEqual(parentOf(child), Option.some(call!.spanId))
          assert.strictEqual(child.status._tag, "Ended")
        }
        assert.deepStrictEqual(
          named("inner").map(parentOf),
          hostCalls.map(({ spanId }) => Option.some(spanId))
        )
        assert.strictEqual(call!.attributes.get("outcome"), "answered")
        assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
      })
    )

    it.effect("a tracer that throws is no affair of the calls", () =>
      Effect.gen(function* () {
        const bad = Tracer.make({
          span: (options) =>
            Object.assign(new Tracer.NativeSpan(options), {
              end: () => {
                throw new Error("the bug")
              }
            })
        })
        const worse = Tracer.make({
          span: () => {
            throw new Error("the bug")
          }
        })
        const guest = yield* Effect.provide(guestOf({ host_try: () => Effect.never }), GuestTelemetry.layer)
        assert.deepStrictEqual(yield* guest.join({ count: 2 }).pipe(Effect.withTracer(worse)), [0, 1])
        const traced = Effect.withTracer(bad)
        assert.deepStrictEqual(yield* traced(guest.join({ count: 2 })), [0, 1])
        const overdue = guest.via_host_try({ id: 1 }).pipe(GuestCall.withDeadline(0), traced, Effect.flip)
        assert.strictEqual((yield* overdue)._tag, "GuestError")
      }).pipe(Effect.provide(Logger.layer([])))
    )

    it.effect("calls are counted by how they ended", () =>
      Effect.gen(function* () {
        const registry = new Map()
        const guest = yield* Effect.provide(guestOf({ host_try: () => Effect.never }), GuestTelemetry.layer)
        const counted = Effect.provideService(Metric.MetricRegistry, registry)
        yield* counted(guest.early())
        yield* counted(Effect.exit(guest.divide({ a: 1, b: 0 })))
        yield* counted(Effect.exit(guest.left_out_async()))
        yield* counted(Effect.exit(guest.left_out_sync({ value: 1 })))
        const call = yield* Effect.forkChild(counted(guest.via_host_try({ id: 1 })), { startImmediately: true })
        yield* Fiber.interrupt(call)
        yield* counted(Effect.exit(guest.via_host_try({ id: 1 }).pipe(GuestCall.withDeadline(0))))
        yield* counted(Effect.exit(guest.panic_sync({ message: "no", logged: false })))
        const snapshot = yield* counted(Metric.snapshot)
        const outcomes = snapshot
          .filter(({ id }) => id === "fiberhost_calls")
          .map(({ attributes }) => `${attributes?.["function"]} ${attributes?.["outcome"]}`)
        assert.sameMembers(outcomes, [
          "early answered",
          "divide failed",
          "left_out_async MissingExports",
          "left_out_sync MissingExports",
          "via_host_try interrupted",
          "via_host_try DeadlineExceeded",
          "panic_sync Trapped"
        ])
        assert.includeMembers(
          snapshot.map(({ id }) => id),
          [
            "fiberhost_call_milliseconds",
            "fiberhost_calls_active",
            "fiberhost_calls_waiting",
            "fiberhost_guest_memory_bytes"
          ]
        )
      })
    )
  })
