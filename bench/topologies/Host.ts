// The host functions that the measured calls of the conformance guest need, as a pool: in the application's thread or on threads.
import * as HostPool from "@fiberhost/core/HostPool"
import * as Effect from "effect/Effect"
import { ConformanceImports } from "../../test/fixtures/conformance.ts"
import { spin } from "../threads/workers/tasks.ts"

type Functions = (typeof ConformanceImports)["functions"][number]

/** The contract's own function, so that the guest's bytes pass to the pool as they are. */
const functionOf = <Tag extends Functions["_tag"]>(tag: Tag) =>
  ConformanceImports.functions.find(({ _tag }) => _tag === tag) as Extract<Functions, { readonly _tag: Tag }>

export class Host extends HostPool.Service<Host>()("bench/Host", [
  functionOf("host_echo"),
  functionOf("host_delay"),
  functionOf("host_try")
]) {}

/** `host_try` works for a millisecond; the others have their answer at once. */
export const handlers = {
  host_echo: ({ text }: { readonly text: string }) => Effect.succeed(text),
  host_delay: ({ id }: { readonly id: number }) => Effect.succeed(id),
  host_try: ({ id }: { readonly id: number }) => Effect.sync(() => spin({ id, name: "" }))
}
