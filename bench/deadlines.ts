// What a deadline of 100 ms does to a call that would never be answered: how late its caller is told, and how long after the deadline
// the next call is answered where the guest's thread had to be ended. And what its neighbour on another thread noticed.
import { NodeGuestThread } from "@fiberhost/node"
import { GuestCall, GuestError, Supervisor } from "@fiberhost/wasm-host"
import { Effect, Fiber, Layer, References } from "effect"
import {
  Conformance,
  ConformanceImports,
  conformanceHandlers,
  conformanceModule
} from "../test/fixtures/conformance.ts"
import type { Program } from "./harness/Program.ts"

const deadline = 100

const run = async (quick: boolean) => {
  const rounds = quick ? 15 : 60
  const late = { waiting: [], guest: [], host: [], replacement: [], "warm-replacement": [] } as Record<
    string,
    Array<number>
  >
  let neighbours = 0
  await Effect.runPromise(
    Effect.gen(function* () {
      const load = loadWith()
      const busy = yield* load
      const neighbour = yield* load
      const small = yield* Layer.build(NodeGuestThread.layer({ concurrency: 1 }))
      const ready = yield* Effect.provide(
        loadWith({ warm: 1 }),
        yield* Layer.build(NodeGuestThread.layer({ threads: 2 }))
      )
      const full = yield* Effect.provide(load, small)
      const asking = yield* Effect.forkScoped(
        Effect.forever(
          Effect.map(neighbour.via_host_echo({ text: "still here" }), () => {
            neighbours++
          })
        )
      )
      yield* Effect.forkScoped(full.never(), { startImmediately: true })
      for (let round = 0; round < rounds; round++) {
        late["waiting"]!.push(yield* lateness(full.early(), "waiting"))
        late["host"]!.push(yield* lateness(busy.via_host_try({ id: 1 }), "host"))
        const started = performance.now()
        const spinning = yield* Effect.forkChild(lateness(busy.spin_forever(), "guest"), { startImmediately: true })
        // Behind it on the same thread, so it waits for the replacement.
        yield* busy.early()
        late["replacement"]!.push(performance.now() - started - deadline)
        late["guest"]!.push(yield* Fiber.join(spinning))

        const begun = performance.now()
        const again = yield* Effect.forkChild(lateness(ready.spin_forever(), "guest"), { startImmediately: true })
        yield* ready.early()
        late["warm-replacement"]!.push(performance.now() - begun - deadline)
        yield* Fiber.join(again)
      }
      const failed = asking.pollUnsafe()
      if (failed !== undefined) throw new Error(`the neighbour noticed: ${String(failed)}`)
    }).pipe(
      Effect.provide(imports),
      Effect.provide(NodeGuestThread.layer({ threads: 2 })),
      Effect.scoped,
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  )
  console.log(`milliseconds after a deadline of ${deadline}, ${rounds} rounds, median and maximum`)
  const rows = Object.entries(late).map(([name, times]) => {
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)]!
    console.log(`  ${name.padEnd(18)}${at(0.5).toFixed(1).padStart(8)}${at(1).toFixed(1).padStart(8)}`)
    return {
      bench: "deadlines",
      case: name,
      subject: "fiberhost",
      opsPerSec: null,
      p50us: at(0.5) * 1000,
      p99us: at(0.99) * 1000
    }
  })
  console.log(`calls that the neighbour's guest answered meanwhile: ${neighbours}, and none failed`)
  return rows
}

export const program: Program = { name: "deadlines", run }

const loadWith = (policy: Supervisor.Policy = {}) =>
  Conformance.make({
    module: conformanceModule,
    supervisor: { replace: Supervisor.intensity({ restarts: 1000, maxDelay: 0 }), ...policy }
  })

const imports = ConformanceImports.toLayer({ ...conformanceHandlers, host_try: () => Effect.never })

/** How late the caller is told, in milliseconds, and that it is told the right phase. */
const lateness = (call: Effect.Effect<unknown, unknown>, phase: GuestError.Phase) =>
  Effect.suspend(() => {
    const started = performance.now()
    return Effect.map(Effect.flip(call.pipe(GuestCall.withDeadline(deadline))), (error) => {
      const reason = error instanceof GuestError.GuestError ? error.reason : undefined
      if (reason?._tag !== "DeadlineExceeded" || reason.phase !== phase) throw new Error(`${phase}: ${String(error)}`)
      return performance.now() - started - deadline
    })
  })
