// What a program with declarations of its own exports of what it is given: the compiler can name the type of each.
import { HostPool } from "@fiberhost/core"
import { NodeBlocking, NodeHostPool, NodePluginModule } from "@fiberhost/node"
import { Plugin } from "@fiberhost/wasm-host"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"

const sha256 = Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String })

export class Hashing extends HostPool.Service<Hashing>()("consumer/Hashing", [sha256]) {}
export class Hasher extends Plugin.Service<Hasher>()("consumer/Hasher", { exports: [sha256] }) {}

export const plugin = Hasher.layer({ module: NodePluginModule.fromFile("hasher.wasm") })
export const calledPlugin = Effect.map(Hasher, (hasher) => hasher.sha256({ bytes: new Uint8Array() }))
export const pluginStats = Effect.map(Hasher, Plugin.stats)
export const health = Effect.map(Hasher, Plugin.health)

export const pool = NodeHostPool.layer(Hashing, { program: new URL("./hashing.worker.js", import.meta.url) })
export const functions = Effect.map(Hashing, ({ sha256 }) => sha256)
export const poolStats = Effect.map(Hashing, HostPool.stats)
export const promises = Effect.map(Hashing, HostPool.promises)

export const blocking = Effect.map(NodeBlocking.handle(Hashing), (handle) => NodeBlocking.open(Hashing, handle))
export const answer = Effect.map(blocking, ({ sha256 }) => sha256.run({ bytes: new Uint8Array() }))
export const receiver = Effect.map(blocking, ({ sha256 }) => sha256.trySpawn({ bytes: new Uint8Array() }))
