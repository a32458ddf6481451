// Calls of guests where guests and host functions have threads of their own, or none: what a call costs, and from how much work on a
// thread pays. The subjects are choices of layers; the calls are the same.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout } from "node:timers/promises"
import { NodeGuestThread, NodeHostPool } from "@fiberhost/node"
import { GuestExecutor } from "@fiberhost/wasm-host"
import { Context, Effect, Exit, Layer, Scope, Tracer } from "effect"
import {
  Conformance,
  ConformanceImports,
  conformanceHandlers,
  conformanceModule
} from "../test/fixtures/conformance.ts"
import type { Bench } from "./harness/Bench.ts"
import * as ClosedLoop from "./harness/ClosedLoop.ts"
import type { Slice } from "./harness/Slice.ts"
import type { Case, Session, Subject } from "./harness/Subject.ts"
import { Host, handlers } from "./topologies/Host.ts"
import { code, Worker } from "./topologies/Worker.ts"

interface TopologyCase extends Case {
  /** Checks its answer. */
  readonly call: (guests: Guests, calibration: Calibration) => Effect.Effect<void, unknown>
  /** Reports how late the application's event loop is, in the place of what a call takes. */
  readonly lateness?: boolean
}

interface Guests {
  readonly conformance: Conformance["Service"]
  readonly worker: Worker["Service"]
}

/** Rounds of the worker's loop that take a microsecond. */
type Calibration = number

const same = (expected: unknown) => (answer: unknown) => {
  if (JSON.stringify(answer) !== JSON.stringify(expected)) throw new Error(`answered ${JSON.stringify(answer)}`)
}

const text = "a string of 24 characters"
const point = { x: 1.5, y: -2.25 }
const ids = Array.from({ length: 10 }, (_, id) => id)

const calls: Readonly<Record<string, TopologyCase["call"]>> = {
  string: ({ conformance }) => Effect.map(conformance.echo_string({ value: text }), same(text)),
  struct: ({ conformance }) => Effect.map(conformance.echo_point({ value: point }), same(point)),
  sync1: ({ conformance }) => Effect.map(conformance.via_host_sync_string({ text }), same(text)),
  async1: ({ conformance }) => Effect.map(conformance.via_host_echo({ text }), same(text)),
  join10: ({ conformance }) => Effect.map(conformance.join({ count: 10 }), same(ids))
}

const guestWork =
  (microseconds: number): TopologyCase["call"] =>
  ({ worker }, roundsPerMicrosecond) =>
    Effect.asVoid(worker.spin({ rounds: Math.round(microseconds * roundsPerMicrosecond) }))

const hostWork: TopologyCase["call"] = ({ conformance }) => Effect.map(conformance.via_host_try({ id: 7 }), same(7))

const program = new URL("./topologies/host.worker.ts", import.meta.url)
const hostHere = Host.layer(handlers)
const topologies = {
  "application-thread": { layers: Layer.merge(GuestExecutor.layer(), hostHere), instances: 1 },
  "guest-thread": { layers: Layer.merge(NodeGuestThread.layer(), hostHere), instances: 1 },
  "guest-thread-host-pool": {
    layers: Layer.merge(NodeGuestThread.layer(), NodeHostPool.layer(Host, { program, size: 1 })),
    instances: 1
  },
  "guest-thread-2-host-threads": {
    layers: Layer.merge(NodeGuestThread.layer(), NodeHostPool.layer(Host, { program, size: 2 })),
    instances: 1
  },
  "2-guest-threads": { layers: Layer.merge(NodeGuestThread.layer({ threads: 2 }), hostHere), instances: 2 }
}

const subjects: ReadonlyArray<Subject<TopologyCase>> = Object.entries(topologies).map(([name, topology]) => ({
  name,
  role: name === "application-thread" ? "floor" : "ours",
  open: (benchCase) => open(benchCase, topology)
}))

async function open(
  benchCase: TopologyCase,
  { instances, layers }: (typeof topologies)[keyof typeof topologies]
): Promise<Session> {
  const scope = Scope.makeUnsafe()
  const imports = ConformanceImports.toLayer(
    Effect.map(Host, ({ host_delay, host_echo, host_try }) => ({
      ...conformanceHandlers,
      host_delay,
      host_echo,
      host_try
    }))
  )
  const plugins = Layer.merge(
    Conformance.layer({ module: conformanceModule, instances }),
    Worker.layer({ module: code, instances })
  ).pipe(Layer.provide(imports), Layer.provide(Layer.fresh(layers)))
  const services = await Effect.runPromise(Layer.buildWithScope(plugins, scope))
  const guests = { conformance: Context.get(services, Conformance), worker: Context.get(services, Worker) }
  const roundsPerMicrosecond = await (calibrated ??= Effect.runPromise(calibrate))
  const run = (slice: Slice) => ClosedLoop.ofFibers(slice, counted, () => benchCase.call(guests, roundsPerMicrosecond))
  return {
    run: benchCase.lateness === true ? (slice) => withLateness(slice, run) : run,
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** Nobody asked for telemetry, so no call makes a span: a tracer that counts shows it. */
let spans = 0
const counted = Context.make(
  Tracer.Tracer,
  Tracer.make({
    span: (options) => {
      spans++
      return new Tracer.NativeSpan(options)
    }
  })
) as Context.Context<never>
process.on("exit", () => console.log(`\nspans made by all calls: ${spans}`))

/** How fast this machine runs the worker's loop once the engine has optimised it, measured in this thread. */
const calibrate = Effect.gen(function* () {
  const worker = yield* Worker.make({ module: code })
  const rounds = 200_000
  const rates = Array.from({ length: 500 }, () => {
    const start = performance.now()
    worker.spinUnsafe({ rounds })
    return rounds / ((performance.now() - start) * 1000)
  })
  return rates.toSorted((a, b) => b - a)[50]!
}).pipe(Effect.provide(GuestExecutor.layer()), Effect.scoped)
let calibrated: Promise<Calibration> | undefined

async function withLateness(slice: Slice, run: (slice: Slice) => Promise<void>): Promise<void> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  // It counts from its own first turn on.
  await setTimeout(5)
  await run(slice)
  // A loop that was held up all the time has not been late before it turns.
  await setTimeout(2)
  histogram.disable()
  slice.latencies.length = 0
  // Its percentiles stand for the sample. The histogram counts the timer's own millisecond too.
  for (let percent = 1; percent < 100; percent++) slice.latencies.push(histogram.percentile(percent) / 1000 - 1000)
}

const inFlight = [1, 64, 1000]
const named = (name: string, calls: number, call: TopologyCase["call"], lateness = false): TopologyCase => ({
  name: `${name}/${calls}`,
  inFlight: calls,
  call,
  lateness
})

export const bench: Bench<TopologyCase> = {
  name: "topologies",
  cases: [
    ...Object.entries(calls).flatMap(([name, call]) => inFlight.map((count) => named(name, count, call))),
    ...[1, 3, 10, 30, 100, 1000].map((microseconds) => named(`guest-${microseconds}us`, 64, guestWork(microseconds))),
    named("host-1ms", 64, hostWork),
    named("lateness-guest-1000us", 64, guestWork(1000), true),
    named("lateness-host-1ms", 64, hostWork, true)
  ],
  subjects,
  quick: {
    cases: ["string/64", "async1/64", "join10/64", "guest-100us/64"],
    subjects: ["application-thread"]
  }
}
