// The host functions that `fetch` and `join10` need, as a pool: they have their answer at once.
import * as HostPool from "@fiberhost/core/HostPool"
import * as Effect from "effect/Effect"
import { importOf } from "../../test/fixtures/conformance.ts"
import { values } from "./Calls.ts"

export class Host extends HostPool.Service<Host>()("bench/calls/Host", [
  importOf("host_fetch"),
  importOf("host_delay")
]) {}

export const response = { ...values.response, tookNanos: BigInt(values.tookNanos) }

export const handlers = {
  host_fetch: () => Effect.succeed(response),
  host_delay: ({ id }: { readonly id: number }) => Effect.succeed(id)
}
