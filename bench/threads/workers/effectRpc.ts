// Worker side: serves `ThreadRpcs`, with tracing unless the pool is the tuned one.
import { workerData } from "node:worker_threads"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcServer from "effect/rpc/RpcServer"
import { type EffectRpcOptions, ThreadRpcs } from "../peers/ThreadRpcs.ts"
import { echo, noop, spin } from "./tasks.ts"

const { tuned }: EffectRpcOptions = workerData

const Handlers = ThreadRpcs.toLayer({
  noop: (value) => Effect.sync(() => noop(value)),
  spin: (value) => Effect.sync(() => spin(value)),
  echo: ({ bytes }) => Effect.sync(() => echo(bytes)),
  copy: ({ bytes }) => Effect.sync(() => bytes.slice()),
  move: ({ bytes }) => Effect.succeed(bytes)
})

RpcServer.layer(ThreadRpcs, { disableTracing: tuned }).pipe(
  Layer.provide(Handlers),
  Layer.provide(RpcServer.layerProtocolWorkerRunner),
  Layer.provide(NodeWorkerRunner.layer),
  Layer.launch,
  NodeRuntime.runMain
)
