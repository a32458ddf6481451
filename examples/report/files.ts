import { Effect, FileSystem, Option, Path } from "effect"
import type { PlatformError } from "effect/PlatformError"

/** Folders that hold what others made: not reported on unless named. */
const skipped = new Set(["node_modules", "target", "dist"])

/** The files named, and all files below the folders named, sorted; hidden ones and other makers' are left out. */
export const findFiles = Effect.fn(function* (paths: ReadonlyArray<string>) {
  const found = yield* Effect.forEach(paths, below)
  return found.flat()
})

const below: (path: string) => Effect.Effect<ReadonlyArray<string>, PlatformError, FileSystem.FileSystem | Path.Path> =
  Effect.fn(function* (path) {
    const fs = yield* FileSystem.FileSystem
    const { join } = yield* Path.Path
    // What is not there, or cannot be looked at, is the report's to tell.
    const info = yield* Effect.option(fs.stat(path))
    if (Option.isNone(info) || info.value.type === "File") return [path]
    if (info.value.type !== "Directory") return []
    const names = (yield* fs.readDirectory(path)).filter((name) => !name.startsWith(".") && !skipped.has(name)).sort()
    const found = yield* Effect.forEach(names, (name) => below(join(path, name)), { concurrency: 8 })
    return found.flat()
  })
