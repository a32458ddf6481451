import { assert, layer } from "@effect/vitest"
import { HostPool } from "@fiberhost/core"
import { Abi, GuestCall, GuestTelemetry, Plugin } from "@fiberhost/wasm-host"
import { Context, Deferred, Effect, Fiber, Layer, Logger, Metric, Option, Schema, Tracer } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import {
  Conformance,
  ConformanceImports,
  conformanceModule,
  hostOf,
  spanText,
  whichSpan
} from "../fixtures/conformance.ts"
import { HostError } from "../fixtures/conformanceTypes.ts"
import { eventually } from "../fixtures/eventually.ts"
import type { Topology } from "../fixtures/topologies.ts"

/** A part of the conformance plugin's contract, in which one function may be called twice. */
class Retried extends Plugin.Service<Retried>()("retried/Guest", {
  imports: ConformanceImports,
  exports: [
    Rpc.make("via_host_try", { payload: { id: Abi.U32 }, success: Abi.U32, error: HostError }).annotate(
      Abi.Idempotent,
      true
    ),
    Rpc.make("via_host_echo", { payload: { text: Schema.String }, success: Schema.String }).annotate(
      Abi.Idempotent,
      true
    ),
    Abi.sync("panic_sync", { payload: { message: Schema.String, logged: Schema.Boolean } })
  ]
}) {}

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
    const spanIdOf = ({ spanId }: Tracer.Span) => spanId
    const nameOf = (tag: string) => `conformance/Conformance.${tag}`
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

    it.effect("what a host function makes is a child of its span, wherever it runs", () =>
      Effect.gen(function* () {
        for (const sampled of [true, false]) {
          const { spans, tracer } = yield* remembered
          const guest = yield* Effect.provide(guestOf(), GuestTelemetry.layer)
          const call = guest.via_host_echo({ text: whichSpan })
          const answer = yield* call.pipe(Effect.withSpan("outer", { sampled }), Effect.withTracer(tracer))
          const [outer, span, hostCall] = ["outer", ...["via_host_echo", "host_echo"].map(nameOf)].map((name) =>
            spans.find((span) => span.name === name)
          )
          assert.strictEqual(answer, spanText(hostCall!))
          assert.deepStrictEqual(parentOf(hostCall!), Option.some(span!.spanId))
          assert.deepStrictEqual(parentOf(span!), Option.some(outer!.spanId))
          for (const it of spans) assert.deepStrictEqual([it.traceId, it.sampled], [outer!.traceId, sampled])
        }
      })
    )

    it.effect("its spans have the annotations, links, sampling, parent and times that Effect's have", () =>
      Effect.gen(function* () {
        const { spans, tracer } = yield* remembered
        const guest = yield* Effect.provide(guestOf(), GuestTelemetry.layer)
        const linked = yield* Effect.makeSpan("linked")
        yield* TestClock.adjust("1 second")
        const seen = ({ attributes, links, parent, sampled, status }: Tracer.NativeSpan) => ({
          tenant: attributes.get("tenant"),
          links: links.map(({ span }) => span.spanId),
          parent: Option.map(parent, ({ spanId }) => spanId),
          sampled,
          isTimed: status._tag === "Ended" && status.endTime > 0n
        })
        for (const [isTimed, level] of [
          [true, "All"],
          [false, "None"]
        ] as const) {
          yield* Effect.andThen(guest.join({ count: 1 }), Effect.withSpan(Effect.void, "Effect's")).pipe(
            Effect.annotateSpans("tenant", "a tenant"),
            Effect.linkSpans(linked),
            Effect.withTracerTiming(isTimed),
            Effect.withSpan("kept to itself", { annotations: Context.make(Tracer.DisablePropagation, true) }),
            Effect.provideService(Tracer.MinimumTraceLevel, level),
            Effect.withSpan("outer"),
            Effect.withTracer(tracer)
          )
          const made = spans.splice(0)
          const [call, expected] = [nameOf("join"), "Effect's"].map((name) => made.find((span) => span.name === name))
          assert.deepStrictEqual(seen(call!), seen(expected!))
          for (const child of made.filter((span) => Option.contains(parentOf(span), call!.spanId))) {
            const { links, sampled, tenant } = seen(child)
            assert.deepStrictEqual(
              { links, sampled, tenant },
              { links: [linked.spanId], sampled: level === "All", tenant: "a tenant" }
            )
          }
        }
      })
    )

    it.effect("without the layer what a host function makes is a child of its caller's span", () =>
      Effect.gen(function* () {
        const guest = yield* guestOf()
        const call = guest.via_host_echo({ text: whichSpan })
        assert.strictEqual(yield* call, "none")
        for (const sampled of [true, false]) {
          const { answer, outer } = yield* Effect.all({ answer: call, outer: Effect.currentSpan }).pipe(
            Effect.withSpan("outer", { sampled })
          )
          assert.strictEqual(answer, spanText(outer))
        }
      })
    )

    it.effect("a call whose caller has left, or whose deadline came, has its entries as children too", () =>
      Effect.gen(function* () {
        const { spans, tracer } = yield* remembered
        let started = 0
        const host_try = () =>
          Effect.suspend(() => {
            started++
            return Effect.never
          })
        const guest = yield* Effect.provide(guestOf({ host_try }), GuestTelemetry.layer)
        const call = guest.via_host_try({ id: 1 }).pipe(GuestCall.withDeadline("1 second"), Effect.withTracer(tracer))
        const interrupted = yield* Effect.forkChild(call, { startImmediately: true })
        const overdue = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
        yield* eventually(() => assert.strictEqual(started, 2))
        yield* Fiber.interrupt(interrupted)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(overdue)
        const callIds = spans.filter(({ name }) => name === "conformance/Conformance.via_host_try").map(spanIdOf)
        assert.strictEqual(callIds.length, 2)
        yield* eventually(() => {
          const entries = spans.filter(({ name }) => name === "entry")
          assert.sameMembers([...new Set(entries.map((span) => Option.getOrThrow(parentOf(span))))], callIds)
        })
      })
    )

    it.effect("a call that is begun again has the entries of both attempts", () =>
      Effect.gen(function* () {
        const { spans, tracer } = yield* remembered
        const gates = [yield* Deferred.make<number>(), yield* Deferred.make<number>()]
        let started = 0
        const guest = yield* Retried.make({ module: conformanceModule, supervisor: {} }).pipe(
          Effect.provide(hostOf({ host_try: () => Effect.suspend(() => Deferred.await(gates[started++]!)) })),
          Effect.provide(GuestTelemetry.layer)
        )
        const call = yield* Effect.forkChild(Effect.withTracer(guest.via_host_try({ id: 1 }), tracer), {
          startImmediately: true
        })
        yield* eventually(() => assert.strictEqual(started, 1))
        yield* Effect.exit(guest.panic_sync({ message: "no", logged: false }))
        yield* eventually(() => assert.strictEqual(started, 2))
        yield* Deferred.succeed(gates[1]!, 9)
        assert.strictEqual(yield* Fiber.join(call), 9)
        const named = (name: string) => spans.filter((span) => span.name === name)
        const [span] = named("retried/Guest.via_host_try")
        // One before its guest died, and two of the attempt that was answered.
        assert.deepStrictEqual(
          named("entry").map((entry) => Option.getOrThrow(parentOf(entry))),
          Array(3).fill(span!.spanId)
        )
      })
    )

    it.effect("a call that is begun again calls its host functions in spans of the same call", () =>
      Effect.gen(function* () {
        const { spans, tracer } = yield* remembered
        const guest = yield* Effect.provide(
          Retried.make({ module: conformanceModule, supervisor: {} }),
          Layer.merge(GuestTelemetry.layer, hostOf())
        )
        const hostCalls = () => spans.filter((span) => span.name === "retried/Guest.host_echo")
        const call = yield* guest
          .via_host_echo({ text: `${whichSpan} ${name}` })
          // What the function remembers is its thread's.
          .pipe(
            Effect.withTracer(tracer),
            (call) => HostPool.pinned(call, name),
            (call) => Effect.forkChild(call, { startImmediately: true })
          )
        yield* eventually(() => assert.strictEqual(hostCalls().length, 1))
        yield* Effect.exit(guest.panic_sync({ message: "no", logged: false }))
        const answer = yield* Fiber.join(call)
        const span = spans.find((span) => span.name === "retried/Guest.via_host_echo")
        const [first, second] = hostCalls()
        assert.strictEqual(answer, spanText(second!))
        for (const hostCall of [first, second]) {
          assert.deepStrictEqual(parentOf(hostCall!), Option.some(span!.spanId))
          assert.strictEqual(hostCall!.status._tag, "Ended")
        }
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
