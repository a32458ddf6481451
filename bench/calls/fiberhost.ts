// Our host in the application's thread: its calls from fibers, and the synchronous twins of its sync functions.
import type { ThreadError } from "@fiberhost/core/Thread"
import { GuestExecutor } from "@fiberhost/wasm-host"
import { Context, Effect, Exit, Layer, Option, Scope } from "effect"
import {
  Conformance,
  type ConformanceImports,
  conformanceHost,
  conformanceModule
} from "../../test/fixtures/conformance.ts"
import * as ClosedLoop from "../harness/ClosedLoop.ts"
import type { Slice } from "../harness/Slice.ts"
import type { Session, Subject } from "../harness/Subject.ts"
import { type AsyncCall, type CallsCase, checks, isSync, type SyncCall, values } from "./Calls.ts"
import { handlers, response } from "./Host.ts"

const page = { items: values.items, total: BigInt(values.total), next: Option.none() }
const request = { ...values.request, body: Option.none() }

/** Completes in a microtask. */
const later = <A>(value: A) => Effect.callback<A>((resume) => queueMicrotask(() => resume(Effect.succeed(value))))

export const done = conformanceHost({
  ...handlers,
  host_echo: ({ text }) => Effect.succeed(text)
})

const pending = conformanceHost({
  host_echo: ({ text }) => later(text),
  host_fetch: () => later(response),
  host_delay: ({ id }) => later(id)
})

const host = (benchCase: CallsCase): Host => (benchCase.pending ? pending : done)
const inThread = GuestExecutor.layer()

type Plugin = Conformance["Service"]
type Executor = Layer.Layer<GuestExecutor.GuestExecutor, ThreadError>
type Host = Layer.Layer<ConformanceImports, ThreadError>

export const fiberhost: ReadonlyArray<Subject<CallsCase>> = [
  {
    name: "fiberhost",
    role: "ours",
    open: (benchCase) =>
      benchCase.call === "instantiate" ? openModule() : openFibers(benchCase, inThread, host(benchCase))
  },
  {
    name: "fiberhost-sync",
    role: "ours",
    takes: (benchCase) => isSync(benchCase) && benchCase.inFlight === 1,
    open: openTwins
  }
]

async function openModule(): Promise<Session> {
  const scope = Scope.makeUnsafe()
  const module = await Effect.runPromise(conformanceModule)
  const services = await Effect.runPromise(Layer.buildWithScope(Layer.merge(inThread, done), scope))
  const instantiate = Conformance.make({ module }).pipe(
    Effect.flatMap((plugin) => plugin.echo_u32({ value: values.u32 })),
    Effect.scoped
  )
  return {
    run: (slice) => ClosedLoop.inFibers(slice, services, () => instantiate, checks.u32),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** Each slot is a fiber that calls. */
export function openFibers(benchCase: CallsCase, executor: Executor, host: Host): Promise<Session> {
  return openPlugin(executor, host, (plugin) => fiberCalls(plugin)[benchCase.call as SyncCall | AsyncCall])
}

function openTwins(benchCase: CallsCase): Promise<Session> {
  return openPlugin(inThread, host(benchCase), (plugin) => {
    const call = twinCalls(plugin)[benchCase.call as SyncCall]
    return (slice) => ClosedLoop.ofCalls(slice, call)
  })
}

async function openPlugin(executor: Executor, host: Host, run: (plugin: Plugin) => Session["run"]): Promise<Session> {
  const scope = Scope.makeUnsafe()
  const layer = Conformance.layer({ module: conformanceModule }).pipe(
    Layer.provide([Layer.fresh(executor), Layer.fresh(host)])
  )
  const services = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  return {
    run: run(Context.get(services, Conformance)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const fiberCalls = (plugin: Plugin): Readonly<Record<SyncCall | AsyncCall, Session["run"]>> => ({
  u32: inFibers(() => plugin.echo_u32({ value: values.u32 }), checks.u32),
  string: inFibers(() => plugin.echo_string({ value: values.string }), checks.string),
  struct: inFibers(() => plugin.echo_point({ value: values.struct }), checks.struct),
  nested: inFibers(() => plugin.echo_page_point({ value: page }), checks.nested),
  f64x1000: inFibers(() => plugin.echo_list_f64({ value: values.f64x1000 }), checks.f64x1000),
  bytes64KiB: inFibers(() => plugin.echo_bytes({ value: values.bytes64KiB }), checks.bytes64KiB),
  async: inFibers(() => plugin.echo_string_async({ value: values.string }), checks.async),
  async1: inFibers(() => plugin.via_host_echo({ text: values.string }), checks.async1),
  fetch: inFibers(() => plugin.fetch({ request }), checks.fetch),
  join10: inFibers(() => plugin.join({ count: 10 }), checks.join10)
})

const inFibers =
  <A>(call: () => Effect.Effect<A, unknown>, check: (answer: A) => void) =>
  (slice: Slice): Promise<void> =>
    ClosedLoop.inFibers(slice, Context.empty(), call, check)

const twinCalls = (plugin: Plugin): Readonly<Record<SyncCall, () => void>> => ({
  u32: () => checks.u32(plugin.echo_u32Unsafe({ value: values.u32 })),
  string: () => checks.string(plugin.echo_stringUnsafe({ value: values.string })),
  struct: () => checks.struct(plugin.echo_pointUnsafe({ value: values.struct })),
  nested: () => checks.nested(plugin.echo_page_pointUnsafe({ value: page })),
  f64x1000: () => checks.f64x1000(plugin.echo_list_f64Unsafe({ value: values.f64x1000 })),
  bytes64KiB: () => checks.bytes64KiB(plugin.echo_bytesUnsafe({ value: values.bytes64KiB }))
})
