/**
 * A plugin's code: compiled once, instantiated many times, shared by every guest made from it. It belongs to nobody and
 * ends when nothing refers to it.
 */
import * as Effect from "effect/Effect"
import * as GuestError from "./GuestError.ts"
import * as ModuleSections from "./internal/module/ModuleSections.ts"

export interface PluginModule {
  readonly "~fiberhost/PluginModule": true
  readonly compiled: WebAssembly.Module
  readonly interface: ModuleSections.ModuleInterface
}

/** What a plugin may be given as. */
export type Source = Uint8Array<ArrayBuffer> | PluginModule

/** A module that comes compiled. It shows no signatures, so only its names are checked when it is loaded. */
export const fromCompiled = (compiled: WebAssembly.Module): PluginModule =>
  of(compiled, ModuleSections.fromModule(compiled))

/** Fails with `InvalidModule` when the engine does not compile the bytes. */
export const make = (source: Source, plugin = "plugin"): Effect.Effect<PluginModule, GuestError.GuestError> => {
  if (isPluginModule(source)) return Effect.succeed(source)
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

export const isPluginModule = (source: Source): source is PluginModule => "~fiberhost/PluginModule" in source

/** What an instance is made from. */
export const instantiable = (module: PluginModule) => ({
  compiled: module.compiled,
  imports: module.interface.imports.map(({ name }) => name),
  signaturesChecked: module.interface.signatures
})

const of = (compiled: WebAssembly.Module, moduleInterface: ModuleSections.ModuleInterface): PluginModule => ({
  "~fiberhost/PluginModule": true,
  compiled,
  interface: moduleInterface
})
