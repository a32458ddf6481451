// The contract: what the application does for whoever asks, and how long it takes over it, in milliseconds.
import { HostPool } from "@fiberhost/core"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

export class Tasks extends HostPool.Service<Tasks>()("blocking/Tasks", [
  Rpc.make("add", { payload: { a: Schema.Int, b: Schema.Int, takes: Schema.Int }, success: Schema.Int }),
  Rpc.make("greet", { payload: { name: Schema.NonEmptyString, takes: Schema.Int }, success: Schema.String }),
  Rpc.make("isEven", { payload: { n: Schema.Int, takes: Schema.Int }, success: Schema.Boolean })
]) {}
