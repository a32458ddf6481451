/**
 * Plugins from the file system of Node.
 */
import { readFile } from "node:fs/promises"
import * as Foreign from "@fiberhost/core/Foreign"
import * as GuestError from "@fiberhost/wasm-host/GuestError"
import * as PluginModule from "@fiberhost/wasm-host/PluginModule"
import * as Effect from "effect/Effect"

/**
 * Reads and compiles a `.wasm` file. Give the result to as many guests as wanted: it is compiled once.
 * Fails with `ModuleUnreadable` or `InvalidModule`.
 */
export const fromFile = (file: string | URL): Effect.Effect<PluginModule.PluginModule, GuestError.GuestError> => {
  const source = String(file)
  const refused = (reason: GuestError.Reason) => new GuestError.GuestError({ plugin: source, reason })
  return Effect.tryPromise({
    try: () => readFile(file),
    catch: (error) => refused(new GuestError.ModuleUnreadable({ source, detail: Foreign.textOf(error) }))
  }).pipe(Effect.flatMap((bytes) => PluginModule.make(bytes, source)))
}
