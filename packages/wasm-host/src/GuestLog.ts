/**
 * A guest's log in Effect's logger.
 *
 * A plugin logs through a host function of its protocol. `info`, `warn` and the others implement it when its payload is
 * a `message`: the line goes to the application's loggers with the plugin and the guest function it belongs to, and is
 * kept with the call, so that a trap tells what the guest logged last: its panic message, if it has a panic hook.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import { Current } from "./internal/host/RunningHostCall.ts"

/** A host function that logs its `message`. */
export type Log = (payload: { readonly message: string }) => Effect.Effect<void>

/** Logs at this level. A payload of another shape is mapped first: `({ text }) => GuestLog.info({ message: text })`. */
export const at =
  (level: LogLevel.Severity): Log =>
  ({ message }) =>
    Effect.withFiber((fiber) => {
      const current = Context.get(fiber.context, Current)
      const log = Effect.logWithLevel(level)(message)
      if (current === undefined) return log
      if (current.owner !== undefined) current.owner.logged = message
      return Effect.annotateLogs(log, {
        plugin: current.plugin,
        ...(current.owner === undefined ? {} : { guestFunction: current.owner.signature.name })
      })
    })

export const debug: Log = at("Debug")
export const info: Log = at("Info")
export const warn: Log = at("Warn")
export const error: Log = at("Error")
