/**
 * A plugin's code: compiled once, instantiated many times, shared by every guest made from it. It belongs to nobody and
 * ends when nothing refers to it.
 */
import * as Foreign from "@fiberhost/core/Foreign"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as GuestError from "./GuestError.ts"
import * as MemoryLimit from "./internal/module/MemoryLimit.ts"
import * as ModuleSections from "./internal/module/ModuleSections.ts"

export interface PluginModule {
  readonly "~fiberhost/PluginModule": true
  readonly compiled: WebAssembly.Module
  readonly interface: ModuleSections.ModuleInterface
  /** What it was compiled from, for a twin with another limit. Absent from a module that came compiled. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined
}

/** What a plugin may be given as. */
export type Source = Uint8Array<ArrayBuffer> | PluginModule

export interface Limits {
  /**
   * Bytes of linear memory that an instance may have, rounded down to whole pages of 64 KiB. A guest that wants more is
   * told by its own `memory.grow` (-1), which most languages turn into a failed allocation.
   */
  readonly memory: number
}

/** A module that comes compiled. It shows no signatures, so only its names are checked when it is loaded. */
export const fromCompiled = (compiled: WebAssembly.Module): PluginModule =>
  of(compiled, ModuleSections.fromModule(compiled), undefined)

/** Fails with `InvalidModule` when the engine does not compile the bytes. */
export const make = (source: Source, plugin = "plugin"): Effect.Effect<PluginModule, GuestError.GuestError> =>
  // The caller may reuse its buffer while the engine compiles. The `slice` of a Buffer would share it.
  isPluginModule(source) ? Effect.succeed(source) : compile(new Uint8Array(source), plugin)

/**
 * The module whose instances are held to `limits`, compiled anew unless its own limits are as low. Limits only narrow.
 *
 * Fails with `InvalidModule`, and with `MemoryLimitRefused` when the module begins with more memory than that, has
 * several memories, or came compiled: a limit is written into a module's bytes. A limit of less than one page is a
 * defect.
 */
export const limited = (
  source: Source,
  limits: Limits,
  plugin = "plugin"
): Effect.Effect<PluginModule, GuestError.GuestError> =>
  Effect.suspend(() => {
    const pages = MemoryLimit.pagesOf(limits.memory)
    const refuse = (detail: string) =>
      Effect.fail(
        new GuestError.GuestError({
          plugin,
          reason: new GuestError.MemoryLimitRefused({ limit: limits.memory, detail })
        })
      )
    // The caller may reuse its buffer while the engine compiles.
    const bytes = isPluginModule(source) ? source.bytes : new Uint8Array(source)
    if (bytes === undefined) return refuse("the module came compiled. Load it from its bytes")

    const capped = MemoryLimit.apply(bytes, pages)
    if (Result.isSuccess(capped)) {
      return isPluginModule(source) && capped.success === bytes
        ? Effect.succeed(source)
        : compile(capped.success, plugin)
    }
    const refused = refuse(MemoryLimit.describe(capped.failure))
    // The engine says what is wrong with the bytes. Should it compile them, they have no limit: they are refused.
    return capped.failure._tag === "Unreadable" ? Effect.andThen(compile(bytes, plugin), refused) : refused
  })

export const isPluginModule = (source: Source): source is PluginModule => "~fiberhost/PluginModule" in source

/** What an instance is made from. */
export const instantiable = (module: PluginModule) => ({
  compiled: module.compiled,
  imports: module.interface.imports.map(({ name }) => name),
  signaturesChecked: module.interface.signatures
})

const compile = (bytes: Uint8Array<ArrayBuffer>, plugin: string): Effect.Effect<PluginModule, GuestError.GuestError> =>
  Effect.tryPromise({
    try: async () => {
      const compiled = await WebAssembly.compile(bytes)
      return of(compiled, ModuleSections.fromBytes(compiled, bytes), bytes)
    },
    catch: (error) =>
      new GuestError.GuestError({
        plugin,
        reason: new GuestError.InvalidModule({ detail: Foreign.textOf(error) })
      })
  })

const of = (
  compiled: WebAssembly.Module,
  moduleInterface: ModuleSections.ModuleInterface,
  bytes: Uint8Array<ArrayBuffer> | undefined
): PluginModule => ({
  "~fiberhost/PluginModule": true,
  compiled,
  interface: moduleInterface,
  bytes
})
