// Effect's RPC client over workers: as it comes, with one call at a time in a worker, and tuned, with room for all calls, without tracing,
// and with bytes that are copied and then moved instead of written as base64.
import { Worker } from "node:worker_threads"
import { Effect, Exit, Layer, Scope } from "effect"
import type { Subject } from "../../harness/Subject.ts"
import { type EffectCalls, effectSession, type ThreadsCase } from "../Calls.ts"
import { type EffectRpcOptions, ThreadRpcs } from "./ThreadRpcs.ts"

export const effectRpc: ReadonlyArray<Subject<ThreadsCase>> = [
  subject("effect-rpc", { tuned: false }),
  subject("effect-rpc-tuned", { tuned: true })
]

function subject(name: string, options: EffectRpcOptions): Subject<ThreadsCase> {
  return {
    name,
    role: "peer",
    open: async (benchCase) => {
      const scope = Scope.makeUnsafe()
      const { services, calls } = await Effect.runPromise(open(benchCase, options).pipe(Scope.provide(scope)))
      return effectSession(benchCase, services, calls, () => Effect.runPromise(Scope.close(scope, Exit.void)))
    }
  }
}

const open = Effect.fnUntraced(function* ({ inFlight, threads }: ThreadsCase, options: EffectRpcOptions) {
  const NodeWorker = yield* Effect.promise(() => import("@effect/platform-node/NodeWorker"))
  const RpcClient = yield* Effect.promise(() => import("effect/rpc/RpcClient"))
  const spawn = () => new Worker(new URL("../workers/effectRpc.ts", import.meta.url), { workerData: options })
  const protocol = RpcClient.layerProtocolWorker({
    size: threads,
    ...(options.tuned ? { concurrency: Math.ceil(inFlight / threads) } : {})
  })
  const services = yield* Layer.build(protocol.pipe(Layer.provide(NodeWorker.layer(spawn))))
  const client = yield* RpcClient.make(ThreadRpcs, { disableTracing: options.tuned }).pipe(
    Effect.provideContext(services)
  )
  const calls: EffectCalls = {
    noop: (value) => client.noop(value),
    spin: (value) => client.spin(value),
    echo: options.tuned
      ? (bytes) => Effect.suspend(() => client.copy({ bytes: bytes.slice() }))
      : (bytes) => client.echo({ bytes }),
    move: (bytes) => client.move({ bytes })
  }
  return { services, calls }
})
