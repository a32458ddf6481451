import { Effect, FileSystem, Option, Path } from "effect"

/** Folders that hold what others made: not reported on unless named. */
const skipped = new Set(["node_modules", "target", "dist"])

/** The files named, and all files below the folders named, sorted; hidden ones and other makers' are left out. */
export const findFiles = Effect.fn(function* (paths: ReadonlyArray<string>) {
  const found = yield* Effect.forEach(paths, (path) => below(path))
  return found.flat()
})

/** `above`: the folders that lead to it, as they really are. One of them that a link leads back to is not entered again. */
const below: (
  path: string,
  above?: ReadonlyArray<string>
) => Effect.Effect<ReadonlyArray<string>, never, FileSystem.FileSystem | Path.Path> = Effect.fn(function* (
  path,
  above = []
) {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  // What is not there, cannot be looked at, or was named and is no file, is the report's to tell.
  const info = yield* Effect.option(fs.stat(path))
  if (Option.isNone(info) || info.value.type === "File") return [path]
  if (info.value.type !== "Directory") return above.length === 0 ? [path] : []
  const real = yield* Effect.option(fs.realPath(path))
  if (Option.isNone(real)) return [path]
  if (above.includes(real.value)) return []
  const entries = yield* Effect.option(fs.readDirectory(path))
  if (Option.isNone(entries)) return [path]
  const inside = [...above, real.value]
  const names = entries.value.filter((name) => !name.startsWith(".") && !skipped.has(name)).sort()
  const found = yield* Effect.forEach(names, (name) => below(join(path, name), inside), { concurrency: 8 })
  return found.flat()
})
