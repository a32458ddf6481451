// A guest that does not return, and one that traps, behind a supervisor: the caller is told in time and why, the next call is
// answered by a replacement, and the application watches.
import { NodeGuestThread, NodePluginModule } from "@fiberhost/node"
import { Abi, GuestCall, Plugin, type Supervisor } from "@fiberhost/wasm-host"
import { Console, Effect, Layer, Stream } from "effect"

class Careless extends Plugin.Service<Careless>()("example/Careless", {
  exports: [
    Abi.sync("double", { payload: { n: Abi.U32 }, success: Abi.U32 }),
    Abi.sync("spin").annotate(Abi.Deadline, "200 millis"),
    Abi.sync("trap")
  ]
}) {}

const supervisor: Supervisor.Policy = { warm: 1, recycle: { calls: 1_000_000, idle: "10 minutes" } }

const Guest = Careless.layer({
  module: NodePluginModule.fromFile(new URL("./careless.wasm", import.meta.url)),
  limits: { memory: 1024 * 1024 },
  supervisor
}).pipe(Layer.provide(NodeGuestThread.layer({ threads: 2 })))

const program = Effect.gen(function* () {
  const careless = yield* Careless
  yield* Plugin.health(careless).pipe(
    Stream.runForEach(({ _tag }) => Console.log(`  health: ${_tag}`)),
    Effect.forkScoped({ startImmediately: true })
  )
  const tell = (call: Effect.Effect<unknown, { readonly message: string }>) =>
    call.pipe(
      Effect.match({ onSuccess: (value) => `answered ${value}`, onFailure: ({ message }) => message }),
      Effect.flatMap(Console.log)
    )
  yield* tell(careless.double({ n: 21 }))
  yield* tell(careless.spin())
  yield* tell(careless.double({ n: 22 }))
  yield* tell(careless.trap())
  yield* tell(careless.double({ n: 23 }).pipe(GuestCall.withDeadline("5 seconds")))
})

Effect.runPromise(program.pipe(Effect.provide(Guest), Effect.scoped))
