/** Programs for the compiler: what must and what must not compile about supervision, limits and deadlines. */
import { Abi, GuestCall, type GuestError, Plugin, Supervisor } from "@fiberhost/wasm-host"
import { Effect, Schedule, type Stream } from "effect"
import { Rpc } from "effect/rpc"

class Guest extends Plugin.Service<Guest>()("types/Guest", {
  exports: [
    Rpc.make("find", { payload: { id: Abi.U32 }, success: Abi.U32 })
      .annotate(Abi.Idempotent, true)
      .annotate(Abi.Deadline, "1 second"),
    // @ts-expect-error: a deadline is a duration
    Rpc.make("slow").annotate(Abi.Deadline, { seconds: "one" })
  ]
}) {}

const module = new Uint8Array(0)

Guest.layer({
  module,
  limits: { memory: 65_536, hostCalls: 1, valueBytes: 1 },
  supervisor: { replace: Schedule.recurs(3), recycle: { idle: "1 minute" }, warm: 1 },
  // It is given the plugin's own functions, and may fail as they do.
  onReplace: (plugin) => plugin.find({ id: 1 })
})
Guest.layer({ module, supervisor: { replace: Supervisor.intensity({ within: "1 minute" }) } })

// @ts-expect-error: a policy has no such field
Guest.layer({ module, supervisor: { restart: Schedule.recurs(3) } })
// @ts-expect-error: the plugin has no such function
Guest.layer({ module, onReplace: (plugin) => plugin.lost() })
// @ts-expect-error: a limit is a number of bytes
Guest.layer({ module, limits: { memory: "4 MiB" } })
// @ts-expect-error: what replaces a guest needs no services
Guest.layer({ module, supervisor: { replace: Schedule.tap(Schedule.forever, () => Effect.asVoid(Guest)) } })

export const program: Effect.Effect<number, GuestError.GuestError, Guest> = Effect.gen(function* () {
  const guest = yield* Guest
  const health: Stream.Stream<Supervisor.Event> = Plugin.health(guest)
  void health
  return yield* guest.find({ id: 1 }).pipe(GuestCall.withDeadline("100 millis"))
})
