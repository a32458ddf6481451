/**
 * Compiles modules, those of equal content and equal memory limit once. Owned by an executor, and bounded: a host of
 * many tenants sees many.
 */
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as GuestError from "../../GuestError.ts"
import * as PluginModule from "../../PluginModule.ts"
import * as MemoryLimit from "./MemoryLimit.ts"

/**
 * `memoryLimit`: bytes, at least one page; no limit but the module's own when absent. Fails with `InvalidModule` or
 * `MemoryLimitRefused`.
 */
export type Compile = (
  source: PluginModule.Source,
  plugin: string,
  memoryLimit?: number
) => Effect.Effect<PluginModule.PluginModule, GuestError.GuestError>

export const make: Effect.Effect<Compile> = Effect.gen(function* () {
  const modules = yield* Cache.makeWith(
    ({ memoryLimit, source }: Content) =>
      memoryLimit === undefined ? PluginModule.make(source) : PluginModule.limited(source, { memory: memoryLimit }),
    {
      capacity: 64,
      timeToLive: (exit) => (Exit.isSuccess(exit) ? Infinity : 0)
    }
  )
  // Who asks at the same time shares what becomes of it, and each is told of his own plugin.
  const compiled = (content: Content, plugin: string) =>
    Effect.mapError(Cache.get(modules, content), ({ reason }) => new GuestError.GuestError({ plugin, reason }))
  // A module that many guests are made from is read once.
  const digests = new WeakMap<PluginModule.PluginModule, string>()

  return Effect.fnUntraced(function* (source: PluginModule.Source, plugin: string, memoryLimit?: number) {
    if (!PluginModule.isPluginModule(source)) {
      const bytes = new Uint8Array(source)
      return yield* compiled(new Content(bytes, yield* digestOf(bytes), memoryLimit), plugin)
    }
    if (memoryLimit === undefined) return source
    // It cannot be limited, and has nothing to be told apart by.
    if (source.bytes === undefined) return yield* PluginModule.limited(source, { memory: memoryLimit }, plugin)
    const digest = digests.get(source) ?? (yield* digestOf(source.bytes))
    digests.set(source, digest)
    return yield* compiled(new Content(source, digest, memoryLimit), plugin)
  })
})

const digestOf = (bytes: Uint8Array<ArrayBuffer>): Effect.Effect<string> =>
  Effect.promise(async () => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex())

/** A module's content under a limit, equal when both are. */
class Content implements Equal.Equal {
  readonly source: PluginModule.Source
  readonly memoryLimit: number | undefined
  private readonly key: string

  constructor(source: PluginModule.Source, digest: string, memoryLimit: number | undefined) {
    this.source = source
    this.memoryLimit = memoryLimit
    // Throws for a limit that is none: a defect of who asked for it.
    this.key = memoryLimit === undefined ? digest : `${digest} ${MemoryLimit.pagesOf(memoryLimit)}`
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Content && this.key === that.key
  }

  [Hash.symbol](): number {
    return Hash.string(this.key)
  }
}
