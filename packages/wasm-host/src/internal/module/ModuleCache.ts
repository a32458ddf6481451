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

/** Fails with `InvalidModule`. */
export type Compile = (
  source: PluginModule.Source,
  plugin: string
) => Effect.Effect<PluginModule.PluginModule, GuestError.GuestError>

export const make: Effect.Effect<Compile> = Effect.gen(function* () {
  const modules = yield* Cache.makeWith(({ bytes, plugin }: Content) => PluginModule.make(bytes, plugin), {
    capacity: 64,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? Infinity : 0)
  })
  return Effect.fnUntraced(function* (source: PluginModule.Source, plugin: string) {
    if (PluginModule.isPluginModule(source)) return source
    const bytes = source.slice()
    const digest = yield* Effect.promise(() => crypto.subtle.digest("SHA-256", bytes))
    return yield* Cache.get(modules, new Content(bytes, plugin, new Uint8Array(digest).toHex()))
  })
})

/** A module's bytes, equal by content. */
class Content implements Equal.Equal {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly plugin: string
  private readonly digest: string

  constructor(bytes: Uint8Array<ArrayBuffer>, plugin: string, digest: string) {
    this.bytes = bytes
    this.plugin = plugin
    this.digest = digest
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Content && this.digest === that.digest
  }

  [Hash.symbol](): number {
    return Hash.string(this.digest)
  }
}
