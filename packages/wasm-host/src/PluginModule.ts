/**
 * A plugin's code: compiled once, instantiated many times, shared by every guest made from it. It belongs to nobody and
 * ends when nothing refers to it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as GuestError from "./GuestError.ts"
import * as MemoryLimit from "./internal/module/MemoryLimit.ts"
import * as ModuleSections from "./internal/module/ModuleSections.ts"

export interface PluginModule {
  readonly "~fiberhost/PluginModule": true
  readonly compiled: WebAssembly.Module
  readonly interface: ModuleSections.ModuleInterface
  /** What it was compiled from; undefined when it came compiled. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined
}

/** What a plugin may be given as. */
export type Source = Uint8Array<ArrayBuffer> | PluginModule

/**
 * A module that comes compiled. It shows no signatures, so only its names are checked when it is loaded, and its guests'
 * memory cannot be limited.
 */
export const fromCompiled = (compiled: WebAssembly.Module): PluginModule =>
  of(compiled, ModuleSections.fromModule(compiled), undefined)

/** Fails with `InvalidModule` when the engine does not compile the bytes. */
export const make = (source: Source, plugin = "plugin"): Effect.Effect<PluginModule, GuestError.GuestError> => {
  if (isPluginModule(source)) return Effect.succeed(source)
  // The caller may reuse its buffer while the engine compiles.
  const bytes = source.slice()
  return Effect.tryPromise({
    try: async () => of(await WebAssembly.compile(bytes), ModuleSections.fromBytes(bytes), bytes),
    catch: (error) =>
      new GuestError.GuestError({
        plugin,
        reason: new GuestError.InvalidModule({ detail: error instanceof Error ? error.message : String(error) })
      })
  })
}

/**
 * The same code with a linear memory of at most `memory` bytes, in whole pages of 64 KiB: the guest's own limit, so that
 * an allocation beyond it fails inside the guest. Fails with `MemoryLimitRefused` when the module came compiled, or begins
 * with more. A limit of less than a page is a defect.
 */
export const limited = (
  module: PluginModule,
  memory: number,
  plugin = "plugin"
): Effect.Effect<PluginModule, GuestError.GuestError> => {
  const pages = Math.floor(memory / MemoryLimit.pageBytes)
  if (!(pages >= 1)) return Effect.die(new RangeError(`a memory limit of ${memory}: it must be at least 65536 bytes`))
  const refuse = (detail: string) =>
    new GuestError.GuestError({ plugin, reason: new GuestError.MemoryLimitRefused({ limit: memory, detail }) })
  if (module.bytes === undefined) return Effect.fail(refuse("it came compiled: load it from its bytes"))
  const capped = MemoryLimit.cap(module.bytes, Math.min(pages, 65536))
  return Result.isFailure(capped) ? Effect.fail(refuse(capped.failure)) : make(capped.success, plugin)
}

export const isPluginModule = (source: Source): source is PluginModule => "~fiberhost/PluginModule" in source

/** What an instance is made from. */
export const instantiable = (module: PluginModule) => ({
  compiled: module.compiled,
  imports: module.interface.imports.map(({ name }) => name),
  signaturesChecked: module.interface.signatures
})

const of = (
  compiled: WebAssembly.Module,
  moduleInterface: ModuleSections.ModuleInterface,
  bytes: PluginModule["bytes"]
): PluginModule => ({
  "~fiberhost/PluginModule": true,
  compiled,
  interface: moduleInterface,
  bytes
})
