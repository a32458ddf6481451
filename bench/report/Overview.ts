// The picture for the README: a few cases of each benchmark, and where they were measured.
import { bars, type Drawing, isDrawn, labelsOf } from "./Bars.ts"
import { escape } from "./Markup.ts"
import { byCase, type Results } from "./Results.ts"
import { theme } from "./Theme.ts"

/** What stands for each benchmark. */
const shown: ReadonlyArray<readonly [bench: string, name: string, title: string]> = [
  ["calls", "struct", "Call a guest with a struct"],
  ["calls", "fetch/64", "Call a guest that awaits its host, 64 in flight"],
  ["blocking", "1KiB/1", "Block a thread on another, 1 KiB"],
  ["codec", "nested/encode", "Encode a nested value"],
  ["codec", "nested/decode", "Decode a nested value"],
  ["threads", "noop/64", "Call a function on another thread, 64 in flight"]
]

const panel = 468
const gap = 48
const margin = 20
const width = 2 * panel + gap + 2 * margin

/** Throws where none of the results is one that is shown. */
export function overview(all: ReadonlyArray<Results>): string {
  const found = shown.flatMap(([bench, name, title]) => {
    const results = all.find(({ origin }) => origin.bench === bench)
    const rows = results && byCase(results.rows).get(name)
    return rows === undefined || !isDrawn(rows) ? [] : [{ results: results!, rows, title }]
  })
  if (found.length === 0) throw new Error("none of these results is in the README's picture")
  const labels = Math.max(...found.map(({ rows }) => labelsOf(rows)))
  const drawings = found.map(({ results, rows, title }) => bars(title, results, rows, panel, labels))
  const columns = inColumns(drawings)
  const bottom = margin + Math.max(...columns.map(heightOf))
  const footer = [...new Set(found.map(({ results }) => results))].map(originOf)
  const placed = columns.flatMap((column, n) =>
    column.map(
      ({ drawing, y }) => `<g transform="translate(${margin + n * (panel + gap)},${margin + y})">\n${drawing.svg}\n</g>`
    )
  )
  const height = bottom + footer.flat().length * 16 + margin
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">fiberhost and others: calls a second, on logarithmic scales</title>
<desc id="desc">${escape(drawings.map(({ description }) => description).join(". "))}</desc>
<style>${theme}</style>
<rect class="ground" width="${width}" height="${height}"/>
${placed.join("\n")}
${footer
  .flat()
  .map((line, n) => `<text class="muted" x="${margin}" y="${bottom + 12 + n * 16}">${escape(line)}</text>`)
  .join("\n")}
</svg>
`
}

interface Placed {
  readonly y: number
  readonly drawing: Drawing
}

/** Read down the left one and then down the right one. */
function inColumns(
  drawings: ReadonlyArray<Drawing>
): readonly [left: ReadonlyArray<Placed>, right: ReadonlyArray<Placed>] {
  const total = drawings.reduce((sum, { height }) => sum + height, 0)
  const columns: [Array<Placed>, Array<Placed>] = [[], []]
  let before = 0
  for (const drawing of drawings) {
    const column = before + drawing.height / 2 <= total / 2 ? columns[0] : columns[1]
    column.push({ y: heightOf(column), drawing })
    before += drawing.height
  }
  return columns
}

const heightOf = (column: ReadonlyArray<Placed>): number => {
  const last = column.at(-1)
  return last === undefined ? 0 : last.y + last.drawing.height + 24
}

function originOf({ origin }: Results): ReadonlyArray<string> {
  const { bench, commit, date, machine, platform, versions } = origin
  const of = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [`${bench}: ${machine}; ${platform}; ${date.slice(0, 10)}, commit ${commit}`, `    ${of.join(", ")}`]
}
