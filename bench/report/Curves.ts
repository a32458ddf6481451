// Calls a second over what grows: cases that are named for their size, as `threads/4`, are one picture with a line for each subject. Both
// scales are logarithmic.
import type { Drawing } from "./Bars.ts"
import { LogScale } from "./LogScale.ts"
import { binary, compact, escape, whole, widthOf } from "./Markup.ts"
import type { Row } from "./Results.ts"

/** What grows, with the rows of all sizes. */
export interface Growth {
  readonly name: string
  /** Those of all growths, so that each has one colour. */
  readonly subjects: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row>
}

/** Rows of the benchmarks that measure growth: two sizes or more. */
export function growths(rows: ReadonlyArray<Row>): ReadonlyArray<Growth> {
  const sized = rows.filter((row) => row.bench === "scale" && sizeOf(row) > 0 && (row.opsPerSec ?? 0) > 0)
  const subjects = [...new Set(sized.map(({ subject }) => subject))].sort()
  return [...Map.groupBy(sized, (row) => row.case.slice(0, row.case.lastIndexOf("/")))]
    .map(([name, rows]) => ({ name, subjects, rows }))
    .filter(({ rows }) => new Set(rows.map(sizeOf)).size > 1)
}

const top = 56
const plot = 190
const marks = [
  (x: string, y: string, kind: string) => `<circle class="${kind}" cx="${x}" cy="${y}" r="3.5"/>`,
  (x: string, y: string, kind: string) =>
    `<rect class="${kind}" x="${Number(x) - 3}" y="${Number(y) - 3}" width="6" height="6"/>`
]

export function curves({ name, rows, subjects }: Growth, width: number): Drawing {
  const series = [...Map.groupBy(rows, ({ subject }) => subject)].sort(([a], [b]) => a.localeCompare(b))
  const left = 46
  const right = width - 16
  const sizes = [...new Set(rows.map(sizeOf))].sort((a, b) => a - b)
  const doublings = Math.log2(sizes.at(-1)! / sizes[0]!)
  const x = (size: number) => left + 10 + (Math.log2(size / sizes[0]!) / doublings) * (right - left - 20)
  const scale = new LogScale(
    rows.map(({ opsPerSec }) => opsPerSec!),
    plot
  )
  const y = (ops: number) => top + plot - scale.at(ops)
  const written = name === "bytes" ? binary : whole
  const every = Math.ceil(sizes.length / 8)
  const axes = [
    ...scale.ticks.map(
      (tick) =>
        `<line class="grid" x1="${left}" x2="${right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/><text class="muted end" x="${left - 6}" y="${(y(tick) + 4).toFixed(1)}">${compact(tick)}</text>`
    ),
    ...sizes
      .filter((_, n) => n % every === 0)
      .map(
        (size) => `<text class="muted middle" x="${x(size).toFixed(1)}" y="${top + plot + 18}">${written(size)}</text>`
      )
  ]
  let legend = 0
  const lines = series.map(([subject, rows]) => {
    const n = subjects.indexOf(subject)
    const kind = `series${Math.min(n, 3)}`
    const mark = marks[n % marks.length]!
    const points = rows
      .toSorted((a, b) => sizeOf(a) - sizeOf(b))
      .map((row) => [x(sizeOf(row)).toFixed(1), y(row.opsPerSec!).toFixed(1), row] as const)
    const at = legend
    legend += widthOf(subject) + 30
    return [
      mark(String(at + 6), "32", kind),
      `<text x="${at + 16}" y="36">${escape(subject)}</text>`,
      `<polyline class="curve ${kind}" points="${points.map(([x, y]) => `${x},${y}`).join(" ")}"/>`,
      ...points.map(([x, y]) => mark(x, y, kind))
    ].join("")
  })
  const words = series.map(
    ([subject, rows]) =>
      `${subject}: ${rows.map((row) => `${compact(row.opsPerSec!)} at ${written(sizeOf(row))}`).join(", ")}`
  )
  return {
    svg: [`<text class="title" x="0" y="14">${escape(`calls/s by ${name}`)}</text>`, ...axes, ...lines].join("\n"),
    height: top + plot + 28,
    description: words.join("; ")
  }
}

function sizeOf(row: Row): number {
  return Number(row.case.slice(row.case.lastIndexOf("/") + 1))
}
