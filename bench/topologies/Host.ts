// The host functions that the measured calls of the conformance guest need, as a pool: in the application's thread or on threads.
import * as HostPool from "@fiberhost/core/HostPool"
import * as Effect from "effect/Effect"
import { importOf } from "../../test/fixtures/conformance.ts"
import { spin } from "../threads/workers/tasks.ts"

export class Host extends HostPool.Service<Host>()("bench/Host", [
  importOf("host_echo"),
  importOf("host_delay"),
  importOf("host_try")
]) {}

/** `host_try` works for a millisecond; the others have their answer at once. */
export const handlers = {
  host_echo: ({ text }: { readonly text: string }) => Effect.succeed(text),
  host_delay: ({ id }: { readonly id: number }) => Effect.succeed(id),
  host_try: ({ id }: { readonly id: number }) => Effect.sync(() => spin({ id, name: "" }))
}
