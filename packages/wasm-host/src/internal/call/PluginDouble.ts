/**
 * Stands in for a guest in tests of what uses a plugin: no WebAssembly, and the same codecs. It lives as long as whoever
 * refers to it.
 */
import * as Deadline from "@fiberhost/core/Deadline"
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Abi from "../../Abi.ts"
import * as GuestError from "../../GuestError.ts"
import { notDirect } from "../guest/DirectCall.ts"
import { GuestCodec } from "../guest/GuestCodec.ts"
import * as Signature from "../module/Signature.ts"
import { noStats } from "./Instance.ts"
import type { PluginGuest } from "./PluginGuest.ts"

/** Each function's handler behind its byte face, those left out missing. */
export const make = Effect.fnUntraced(function* <H extends object>(
  plugin: string,
  codecs: ReadonlyMap<string, FunctionCodec.FunctionCodec>,
  handlers: H
): Effect.fn.Return<PluginGuest, never, HostFunction.Services<H>> {
  const implementations = yield* HostFunction.implement(codecs, handlers)
  const missing = Array.from(codecs.keys()).filter((name) => !implementations.has(name))
  const functions = Array.from(
    codecs.values(),
    (codec) => new GuestCodec(plugin, codec, Signature.make(codec), missing, Infinity)
  )
  return {
    missing,
    call: (index, payload) => {
      const guestCodec = functions[index]!
      return (
        guestCodec.leftOut ??
        inTime(guestCodec, called(guestCodec, payload, implementations.get(guestCodec.codec.name)!))
      )
    },
    callDirectly: () => notDirect,
    inCallingThread: true,
    busy: 0,
    stats: { ...noStats, alive: true }
  }
})

/** A call under its function's deadline and its caller's. A double has room for all, so its time is the guest's. */
const inTime = (guestCodec: GuestCodec, call: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> => {
  const within = Effect.contextWith((context: Context.Context<never>) => {
    const left = Context.get(context, Deadline.Current) - Deadline.now(context)
    if (left === Infinity) return call
    const overdue = (phase: GuestError.Phase, inGuest: number) =>
      guestCodec.fail(new GuestError.DeadlineExceeded({ phase, waiting: 0, inGuest, inHost: 0 }))
    if (left <= 0) return overdue("waiting", 0)
    return Effect.timeoutOrElse(call, { duration: left, orElse: () => overdue("guest", left) })
  })
  const own = Context.getOrUndefined(guestCodec.codec.rpc.annotations, Abi.Deadline)
  return own === undefined ? within : Deadline.within(within, own)
}

const called = (
  guestCodec: GuestCodec,
  payload: unknown,
  implementation: HostFunction.Implementation
): Effect.Effect<unknown, unknown> =>
  Effect.suspend((): Effect.Effect<unknown, unknown> => {
    const args = guestCodec.encode(payload)
    if (Result.isFailure(args)) return guestCodec.fail(args.failure)
    return implementation.bytes(args.success).pipe(
      Effect.catch((error) => {
        const { reason } = error
        if (reason._tag === "ArgumentsRefused")
          return guestCodec.fail(new GuestError.ValueRefused({ path: reason.path, detail: reason.detail }))
        if (reason._tag === "AnswerRefused")
          return guestCodec.fail(new GuestError.AnswerRefused({ path: reason.path, detail: reason.detail }))
        if (reason._tag === "Defect") return Effect.die(reason.cause)
        if (reason._tag === "Interrupted") return Effect.interrupt
        return guestCodec.fail(new GuestError.HostFunctionFailed({ error }))
      }),
      Effect.flatMap((answer) => guestCodec.decode(answer))
    )
  })
