/**
 * A plugin's code: compiled once, instantiated many times, shared by every guest made from it. It belongs to nobody and
 * ends when nothing refers to it.
 */
import * as Effect from "effect/Effect"
import * as GuestError from "../GuestError.ts"
import * as ModuleSections from "./ModuleSections.ts"

export interface PluginModule {
  readonly "~fiberhost/PluginModule": true
  readonly compiled: WebAssembly.Module
  readonly interface: ModuleSections.ModuleInterface
}

/** What a plugin may be given as. A compiled module shows no signatures, so only its names are checked at load. */
export type Source = Uint8Array<ArrayBuffer> | WebAssembly.Module | PluginModule

/** Fails with `InvalidModule` when the engine does not compile the bytes. */
export const make = (source: Source, plugin = "plugin"): Effect.Effect<PluginModule, GuestError.GuestError> => {
  if ("~fiberhost/PluginModule" in source) return Effect.succeed(source)
  if (source instanceof WebAssembly.Module) return Effect.succeed(of(source, ModuleSections.fromModule(source)))
  // The caller may reuse its buffer while the engine compiles.
  const bytes = source.slice()
  return Effect.tryPromise({
    try: async () => of(await WebAssembly.compile(bytes), ModuleSections.fromBytes(bytes)),
    catch: (error) =>
      new GuestError.GuestError({
        plugin,
        reason: new GuestError.InvalidModule({ detail: error instanceof Error ? error.message : String(error) })
      })
  })
}

const of = (compiled: WebAssembly.Module, moduleInterface: ModuleSections.ModuleInterface): PluginModule => ({
  "~fiberhost/PluginModule": true,
  compiled,
  interface: moduleInterface
})
