// The host functions of the soak that run on a pool. Some of its threads are lost on the way.
import * as HostPool from "@fiberhost/core/HostPool"
import * as Effect from "effect/Effect"
import { importOf } from "../../test/fixtures/conformance.ts"

export class SoakPool extends HostPool.Service<SoakPool>()("soak/Pool", [
  importOf("host_echo"),
  importOf("host_delay"),
  importOf("host_try")
]) {}

/** `host_try` of this id ends its thread. */
export const fatal = 666
/** `host_try` from this id on never answers. */
export const slow = 1_000_000

export const handlers = {
  host_echo: ({ text }: { readonly text: string }) => Effect.as(Effect.yieldNow, text),
  host_delay: ({ id }: { readonly id: number }) => Effect.as(Effect.sleep(1), id),
  host_try: ({ id }: { readonly id: number }) => {
    if (id === fatal) return Effect.sync(() => process.exit(1))
    return id >= slow ? Effect.never : Effect.as(Effect.yieldNow, id)
  }
}
