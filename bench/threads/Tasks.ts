// The contract of our own subjects.
import * as HostPool from "@fiberhost/core/HostPool"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as Transferable from "effect/workers/Transferable"

const smallObject = { id: Schema.Int, name: Schema.String }

export class Tasks extends HostPool.Service<Tasks>()("bench/Tasks", [
  Rpc.make("noop", { payload: smallObject, success: Schema.Int }),
  Rpc.make("spin", { payload: smallObject, success: Schema.Int }),
  Rpc.make("echo", { payload: { bytes: Schema.Uint8Array }, success: Schema.Uint8Array }),
  Rpc.make("move", { payload: { bytes: Transferable.Uint8Array }, success: Transferable.Uint8Array })
]) {}
