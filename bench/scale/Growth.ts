// How calls a second change as one thing doubles: the instances that are called in turn, the threads that guests live on, the bytes that a
// call carries there and back, and the calls in flight.
import type { ThreadError } from "@fiberhost/core/Thread"
import { NodeGuestThread } from "@fiberhost/node"
import { GuestExecutor } from "@fiberhost/wasm-host"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Conformance, conformanceHost, conformanceModule } from "../../test/fixtures/conformance.ts"
import * as ClosedLoop from "../harness/ClosedLoop.ts"
import type { Case, Session, Subject } from "../harness/Subject.ts"
import { code, Worker } from "../topologies/Worker.ts"

export type Kind = "instances" | "threads-string" | "threads-work" | "bytes" | "in-flight"

export interface GrowthCase extends Case {
  readonly kind: Kind
  readonly size: number
}

const most: Readonly<Record<Kind, number>> = {
  instances: 1024,
  "threads-string": 8,
  "threads-work": 8,
  bytes: 4 * 2 ** 20,
  "in-flight": 16_384
}

/** Doubles from case to case; `step` is how often between two that are run. */
export const growthCases = (step: number): ReadonlyArray<GrowthCase> =>
  Object.entries(most).flatMap(([kind, most]) => {
    const doublings = Math.log2(most)
    const every = Math.min(step, doublings)
    return Array.from({ length: Math.floor(doublings / every) + 1 }, (_, n) => doublings - n * every)
      .reverse()
      .map((doubling) => ({
        name: `${kind}/${2 ** doubling}`,
        kind: kind as Kind,
        size: 2 ** doubling,
        inFlight: kind === "in-flight" ? 2 ** doubling : kind === "bytes" ? 1 : 64
      }))
  })

type Executor = Layer.Layer<GuestExecutor.GuestExecutor, ThreadError>

const subject = (name: string, executor: (threads: number) => Executor): Subject<GrowthCase> => ({
  name,
  role: "ours",
  takes: ({ kind }) => !kind.startsWith("threads") || name === "fiberhost-guest-thread",
  open: (benchCase) => open(benchCase, executor)
})

export const growing: ReadonlyArray<Subject<GrowthCase>> = [
  subject("fiberhost", () => GuestExecutor.layer()),
  subject("fiberhost-guest-thread", (threads) => NodeGuestThread.layer({ threads }))
]

async function open({ kind, size }: GrowthCase, executor: (threads: number) => Executor): Promise<Session> {
  const scope = Scope.makeUnsafe()
  const layers = Layer.merge(executor(kind.startsWith("threads") ? size : 1), conformanceHost())
  const services = await Effect.runPromise(Layer.buildWithScope(layers, scope))
  const call = await Effect.runPromiseWith(services)(Scope.provide(calls[kind](size), scope))
  return {
    run: (slice) => ClosedLoop.inFibers(slice, Context.empty(), call, () => {}),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

type Call = () => Effect.Effect<unknown, unknown>
type Services = GuestExecutor.GuestExecutor | Layer.Success<ReturnType<typeof conformanceHost>> | Scope.Scope

const text = "a text of 24 characters."
/** Compiled once, whatever the number of its instances. */
const module = await Effect.runPromise(conformanceModule)
const guest = Conformance.make({ module })

const calls: Readonly<Record<Kind, (size: number) => Effect.Effect<Call, unknown, Services>>> = {
  instances: inTurn,
  "threads-string": inTurn,
  "threads-work": (threads) =>
    Effect.map(
      Effect.forEach(Array(threads).keys(), () => Worker.make({ module: code })),
      (workers) => turning(workers, (worker) => worker.spin({ rounds: 100_000 }))
    ),
  bytes: (size) =>
    Effect.map(guest, (plugin) => {
      const value = new Uint8Array(size).fill(7)
      return () =>
        Effect.map(plugin.echo_bytes({ value }), (answer) => expect(answer.length === size && answer[size - 1] === 7))
    }),
  "in-flight": () =>
    Effect.map(guest, (plugin) => () => Effect.map(plugin.via_host_echo({ text }), (answer) => expect(answer === text)))
}

/** Each call goes to the next guest. */
function inTurn(guests: number) {
  return Effect.map(
    Effect.forEach(Array(guests).keys(), () => guest),
    (plugins) =>
      turning(plugins, (plugin) => Effect.map(plugin.echo_string({ value: text }), (answer) => expect(answer === text)))
  )
}

function turning<A>(guests: ReadonlyArray<A>, call: (guest: A) => Effect.Effect<unknown, unknown>): Call {
  let next = 0
  return () => call(guests[next++ % guests.length]!)
}

function expect(right: boolean): void {
  if (!right) throw new Error("answered wrongly")
}
