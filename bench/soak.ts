// A steady rate of calls for minutes, over guest threads and a host pool, in which guests trap and do not return, callers leave, host
// functions hang and threads are lost. Every call must end once, and nothing may grow.
import { NodeGuestThread, NodeHostPool } from "@fiberhost/node"
import { GuestCall, Plugin, Supervisor } from "@fiberhost/wasm-host"
import { Context, Effect, Layer, References, Schedule, Stream } from "effect"
import {
  Conformance,
  ConformanceImports,
  conformanceHandlers,
  conformanceModule
} from "../test/fixtures/conformance.ts"
import { randomOf } from "../test/fixtures/random.ts"
import type { Program } from "./harness/Program.ts"
import { Ledger } from "./soak/Ledger.ts"
import { fatal, SoakPool, slow } from "./soak/SoakPool.ts"

type Guest = Conformance["Service"]
type Random = () => number
/** Memory in a second of the run, in bytes: at its end, and the least of the heap that was in use. */
interface Second extends Pick<NodeJS.MemoryUsage, "rss" | "heapTotal"> {
  readonly leastUsed: number
}

/** Calls that begin in each tick of the event loop's timer, in milliseconds. */
const tick = 10
const callsPerTick = 20
const instances = 4

/** What is asked, and how many of ten thousand calls are so. */
const mix: ReadonlyArray<
  readonly [share: number, call: (guest: Guest, random: Random) => Effect.Effect<unknown, unknown>]
> = [
  [3000, (guest, random) => answers(guest.echo_string, textOf(random))],
  [3000, (guest, random) => viaHost(guest, textOf(random))],
  [1500, (guest) => joined(guest, 10)],
  [1000, (guest, random) => leaves(guest.cleanup({ id: slow }), random)],
  [500, (guest, random) => leaves(joined(guest, 10), random)],
  [500, (guest) => guest.cleanup({ id: slow }).pipe(GuestCall.withDeadline("20 millis"))],
  [465, (guest) => guest.divide({ a: 1, b: 0 })],
  [25, (guest) => guest.panic_sync({ message: "on purpose", logged: false })],
  [5, (guest) => guest.spin_forever().pipe(GuestCall.withDeadline("50 millis"))],
  [5, (guest) => guest.via_host_try({ id: fatal })]
]

const run = async (quick: boolean) => {
  const seconds = Number(process.env.FIBERHOST_SOAK_SECONDS ?? (quick ? 30 : 300))
  const ledger = new Ledger()
  const incidents = new Map<string, number>()
  const samples = await Effect.runPromise(
    Effect.gen(function* () {
      const guest = yield* Conformance
      yield* Effect.forkScoped(
        Stream.runForEach(Plugin.health(guest), ({ _tag }) =>
          Effect.sync(() => incidents.set(_tag, (incidents.get(_tag) ?? 0) + 1))
        )
      )
      const random = randomOf(1)
      // Code is compiled and buffers get their size before it counts.
      yield* callFor(quick ? 5 : 60, guest, random, ledger, [])
      const samples: Array<Second> = []
      yield* callFor(seconds, guest, random, ledger, samples)
      yield* Effect.repeat(Effect.sleep(100), { while: () => ledger.lost > 0, times: 100 })
      console.log(
        `handles at the end: ${process.getActiveResourcesInfo().length}, calls and host calls in hand: ${Plugin.stats(
          guest
        )
          .map(({ calls, hostCalls }) => `${calls}/${hostCalls}`)
          .join(" ")}`
      )
      return samples
    }).pipe(Effect.provide(layers), Effect.scoped, Effect.provideContext(silent))
  )
  const tenth = Math.floor(samples.length / 10)
  const tenths = Array.from({ length: 10 }, (_, n) => samples.slice(n * tenth, (n + 1) * tenth))
  const mib = (of: (tenth: ReadonlyArray<Second>) => number) => tenths.map((tenth) => of(tenth) / 2 ** 20)
  const resident = mib((tenth) => mean(tenth.map(({ rss }) => rss)))
  const reserved = mib((tenth) => mean(tenth.map(({ heapTotal }) => heapTotal)))
  // What is in use just after a collection is what is kept.
  const kept = mib((tenth) => Math.min(...tenth.map(({ leastUsed }) => leastUsed)))
  console.log("MiB by tenths of the run:")
  for (const [what, values] of [
    ["resident memory", resident],
    ["heap of the application's thread", reserved],
    ["least of it that was in use", kept]
  ] as const) {
    console.log(`  ${what.padEnd(36)}${values.map((value) => value.toFixed(0).padStart(5)).join("")}`)
  }
  const row = (name: string, count: number) => ({ bench: "soak", case: name, subject: "fiberhost", count })
  const failed = [...ledger.failed].sort(([, a], [, b]) => b - a)
  const rows = [
    row("answered", ledger.answered),
    ...failed.map(([reason, count]) => row(`failed/${reason}`, count)),
    row("lost", ledger.lost),
    row("twice", ledger.twice),
    row("rss-growth-MiB", growthOf(resident)),
    row("heap-growth-MiB", growthOf(kept))
  ]
  for (const { case: name, count } of rows)
    console.log(`  ${name.padEnd(44)}${count.toLocaleString("en").padStart(12)}`)
  console.log([...incidents].map(([tag, count]) => `${tag}: ${count}`).join(", "))
  console.log(`handles after it: ${process.getActiveResourcesInfo().length}`)
  if (ledger.lost + ledger.twice > 0) process.exitCode = 1
  return rows
}

export const program: Program = { name: "soak", run }

const layers = Conformance.layer({
  module: conformanceModule,
  instances,
  supervisor: {
    replace: Supervisor.intensity({ restarts: 10_000, within: "1 minute", maxDelay: "10 millis" }),
    recycle: { abandoned: 1000, calls: 50_000 },
    warm: 1
  }
}).pipe(
  Layer.provide(
    ConformanceImports.toLayer(
      Effect.map(SoakPool, ({ host_delay, host_echo, host_try }) => ({
        ...conformanceHandlers,
        host_delay,
        host_echo,
        host_try
      }))
    )
  ),
  Layer.provide(
    Layer.merge(
      NodeGuestThread.layer({ threads: 2, capacity: 10_000, escalation: { interrupted: "100 millis" } }),
      NodeHostPool.layer(SoakPool, {
        program: new URL("./soak/soak.worker.ts", import.meta.url),
        size: 2,
        concurrency: 1000,
        capacity: 10_000,
        restart: Schedule.forever
      })
    )
  )
)

/** Begins calls at a steady rate, whatever becomes of those before. */
const callFor = (seconds: number, guest: Guest, random: Random, ledger: Ledger, samples: Array<Second>) =>
  Effect.callback<void>((resume) => {
    const end = performance.now() + seconds * 1000
    let ticks = 0
    let leastUsed = Infinity
    const timer = setInterval(() => {
      if (performance.now() > end) {
        clearInterval(timer)
        return resume(Effect.void)
      }
      for (let i = 0; i < callsPerTick; i++) begin(guest, random, ledger)
      const { heapTotal, heapUsed, rss } = process.memoryUsage()
      leastUsed = Math.min(leastUsed, heapUsed)
      if (++ticks % (1000 / tick) > 0) return
      samples.push({ rss, heapTotal, leastUsed })
      leastUsed = Infinity
    }, tick)
    return Effect.sync(() => clearInterval(timer))
  })

const begin = (guest: Guest, random: Random, ledger: Ledger): void => {
  let at = Math.floor(random() * 10_000)
  const [, call] = mix.find(([share]) => (at -= share) < 0)!
  const id = ledger.begin()
  Effect.runForkWith(silent)(call(guest, random)).addObserver((exit) => ledger.end(id, exit))
}

/** Host functions that are lost behind an Err of their contract are logged, hundreds of them. */
const silent: Context.Context<never> = Context.make(References.MinimumLogLevel, "None")

/** The answer must be its own, or the run is worth nothing. */
const answers = (ask: Guest["echo_string"], text: string) =>
  Effect.map(ask({ value: text }), (answer) => check(answer, text))

const viaHost = (guest: Guest, text: string) =>
  Effect.map(guest.via_host_echo({ text }), (answer) => check(answer, text))

const joined = (guest: Guest, count: number) =>
  Effect.map(guest.join({ count }), (ids) => check(ids.join(), [...Array(count).keys()].join()))

/** The caller leaves after a while. */
const leaves = (call: Effect.Effect<unknown, unknown>, random: Random) =>
  Effect.raceFirst(call, Effect.andThen(Effect.sleep(random() * 10), Effect.interrupt))

const check = (answer: string, expected: string): string => {
  if (answer === expected) return answer
  console.error(`answered ${answer} to ${expected}`)
  process.exit(1)
}

const textOf = (random: Random): string => `${random()}`.repeat(1 + Math.floor(random() * 8))
const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length
const growthOf = (tenths: ReadonlyArray<number>): number => Math.round((tenths.at(-1)! - tenths[0]!) * 10) / 10
