// The contract, shared by the program and by the threads of its pool.
import { HostPool } from "@fiberhost/core"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

export class NotANumber extends Schema.TaggedError<NotANumber>()("NotANumber", { text: Schema.String }) {}

export class Primes extends HostPool.Service<Primes>()(
  "pool/Primes",
  [
    Rpc.make("count", { payload: { below: Schema.String }, success: Schema.Int, error: NotANumber }),
    Rpc.make("list", { payload: { from: Schema.Int }, success: Schema.Int, stream: true })
  ],
  { initial: Schema.Struct({ largest: Schema.Int }) }
) {}
