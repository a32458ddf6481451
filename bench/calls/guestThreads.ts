// Our host with its guest on a thread, its host functions in the application's thread or on a thread of their own: what leaving the
// application's thread free costs. Compared with hosts that hold it up, where 64 calls are in flight.
import { NodeGuestThread, NodeHostPool } from "@fiberhost/node"
import { Effect, Layer } from "effect"
import { ConformanceImports, conformanceHandlers } from "../../test/fixtures/conformance.ts"
import type { Subject } from "../harness/Subject.ts"
import type { CallsCase } from "./Calls.ts"
import { done, openFibers } from "./fiberhost.ts"
import { Host } from "./Host.ts"

const guestThread = NodeGuestThread.layer()

const program = new URL("./host.worker.ts", import.meta.url)
const pool = ConformanceImports.toLayer(
  Effect.map(Host, ({ host_delay, host_fetch }) => ({ ...conformanceHandlers, host_delay, host_fetch }))
).pipe(Layer.provide(NodeHostPool.layer(Host, { program, size: 1 })))

export const guestThreads: ReadonlyArray<Subject<CallsCase>> = [
  {
    name: "fiberhost-guest-thread",
    role: "ours",
    takes: isOneOf("string", "struct", "async1", "fetch", "join10"),
    open: (benchCase) => openFibers(benchCase, guestThread, done)
  },
  {
    name: "fiberhost-guest-thread-host-pool",
    role: "ours",
    takes: isOneOf("fetch", "join10"),
    open: (benchCase) => openFibers(benchCase, guestThread, pool)
  }
]

function isOneOf(...calls: ReadonlyArray<CallsCase["call"]>) {
  return ({ call, inFlight, pending }: CallsCase) => calls.includes(call) && inFlight === 64 && !pending
}
