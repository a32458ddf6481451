/**
 * Compiles modules, those of equal content once. Owned by an executor, and bounded: a host of many tenants sees many.
 */
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import type * as GuestError from "../../GuestError.ts"
import * as PluginModule from "../../PluginModule.ts"

/** Fails with `InvalidModule`, and with `MemoryLimitRefused` when `memory` is no limit for it, in bytes. */
export type Compile = (
  source: PluginModule.Source,
  plugin: string,
  memory: number | undefined
) => Effect.Effect<PluginModule.PluginModule, GuestError.GuestError>

export const make: Effect.Effect<Compile> = Effect.gen(function* () {
  const modules = yield* Cache.makeWith(
    ({ bytes, memory, plugin }: Content) =>
      Effect.flatMap(PluginModule.make(bytes, plugin), (module) =>
        memory === undefined ? Effect.succeed(module) : PluginModule.limited(module, memory, plugin)
      ),
    {
      capacity: 64,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? Infinity : 0)
    }
  )
  return Effect.fnUntraced(function* (source: PluginModule.Source, plugin: string, memory: number | undefined) {
    if (PluginModule.isPluginModule(source) && (memory === undefined || source.bytes === undefined)) {
      return memory === undefined ? source : yield* PluginModule.limited(source, memory, plugin)
    }
    const bytes = PluginModule.isPluginModule(source) ? source.bytes! : source.slice()
    const digest = yield* Effect.promise(() => crypto.subtle.digest("SHA-256", bytes))
    return yield* Cache.get(modules, new Content(bytes, memory, plugin, new Uint8Array(digest).toHex()))
  })
})

/** A module's bytes and its memory limit, equal by content. */
class Content implements Equal.Equal {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly memory: number | undefined
  readonly plugin: string
  private readonly digest: string

  constructor(bytes: Uint8Array<ArrayBuffer>, memory: number | undefined, plugin: string, digest: string) {
    this.bytes = bytes
    this.memory = memory
    this.plugin = plugin
    this.digest = digest
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Content && this.digest === that.digest && this.memory === that.memory
  }

  [Hash.symbol](): number {
    return Hash.string(this.digest)
  }
}
