// The contract of the Effect RPC peer, for both sides. Bytes in `echo` are a plain schema, which travels as base64; in `move` and `copy`
// they are marked as transferable, which detaches the sender's: `copy` is asked with a copy and answers with one.

import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Transferable from "effect/workers/Transferable"

const SmallObject = { id: Schema.Number, name: Schema.String }

export const ThreadRpcs = RpcGroup.make(
  Rpc.make("noop", { payload: SmallObject, success: Schema.Number }),
  Rpc.make("spin", { payload: SmallObject, success: Schema.Number }),
  Rpc.make("echo", { payload: { bytes: Schema.Uint8Array }, success: Schema.Uint8Array }),
  Rpc.make("copy", { payload: { bytes: Transferable.Uint8Array }, success: Transferable.Uint8Array }),
  Rpc.make("move", { payload: { bytes: Transferable.Uint8Array }, success: Transferable.Uint8Array })
)

export interface EffectRpcOptions {
  readonly tuned: boolean
}
