/**
 * Stands in for a guest in tests of what uses a plugin: no WebAssembly, and the same codecs. It lives as long as whoever
 * refers to it.
 */
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import * as HostFunction from "@fiberhost/core/HostFunction"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
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
      return guestCodec.leftOut ?? called(guestCodec, payload, implementations.get(guestCodec.codec.name)!)
    },
    callDirectly: () => notDirect,
    inCallingThread: true,
    busy: 0,
    stats: { ...noStats, alive: true }
  }
})

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
