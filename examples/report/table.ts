import type { FileError, Report } from "./contract.ts"

type Row = ReadonlyArray<string>

/** For machines: `files` that could be read, `failed` with why, and the totals. */
export const toJson = ({ files, totals }: Report): string =>
  JSON.stringify(
    {
      files: files.flatMap(({ status, ...file }) => (status === "ok" ? [file] : [])),
      failed: files.flatMap((file) => (file.status === "failed" ? [{ path: file.path, error: why(file.error) }] : [])),
      totals
    },
    undefined,
    2
  )

/** For people: a line a file, the sums, the most frequent words, and what could not be read. */
export const toTable = ({ files, totals }: Report): string => {
  const read = files.filter((file) => file.status === "ok")
  const failed = files.filter((file) => file.status === "failed")
  const rows: ReadonlyArray<Row> = [
    ["bytes", "lines", "words", "sha256", "file"],
    ...read.map((file) => [...counts(file), `${file.sha256.slice(0, 12)}..`, file.path]),
    [...counts(totals), "", `total of ${totals.files} files`]
  ]
  return [
    ...align(rows),
    "",
    `most frequent words: ${totals.frequent.map(({ count, word }) => `${word} (${count})`).join(", ")}`,
    ...failed.map((file) => `not read: ${file.path} (${why(file.error)})`)
  ].join("\n")
}

const why = (error: FileError): string => (error._tag === "Unreadable" ? error.message : error._tag)

const counts = (file: { readonly bytes: number; readonly lines: number; readonly words: number }): Row =>
  [file.bytes, file.lines, file.words].map((count) => count.toLocaleString("en"))

/** Numbers to the right, the last two columns to the left. */
const align = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 3 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd()
  )
}
