// One case as bars on a logarithmic scale, the best first: ours, the peers by name, and the floor. Beside each other subject stands what
// ours is of it.
import { LogScale } from "./LogScale.ts"
import { compact, escape, ratio, widthOf } from "./Markup.ts"
import { type Results, type Row, roleOf } from "./Results.ts"

/** `svg` is drawn from 0, 0 on. */
export interface Drawing {
  readonly svg: string
  readonly height: number
  /** The same in words. */
  readonly description: string
}

/** What a row is drawn by; a case of latencies only has no rate. */
interface Measure {
  readonly unit: string
  readonly of: (row: Row) => number
  /** Whether `a` is better than `b`, as a factor. */
  readonly times: (a: number, b: number) => number
}

const rate: Measure = { unit: "calls/s", of: (row) => row.opsPerSec ?? 0, times: (a, b) => a / b }
const latency: Measure = { unit: "µs, median", of: (row) => row.p50us ?? 0, times: (a, b) => b / a }

export function isDrawn(rows: ReadonlyArray<Row>): boolean {
  return measureOf(rows) !== undefined
}

const rowHeight = 22
const top = 34

/** `labels`: pixels for the names of subjects; panels that stand together share them. */
export function bars(
  title: string,
  { origin }: Results,
  rows: ReadonlyArray<Row>,
  width: number,
  labels: number = labelsOf(rows)
): Drawing {
  const { of, times, unit } = measureOf(rows) ?? rate
  const sorted = rows.filter((row) => of(row) > 0).toSorted((a, b) => times(of(b), of(a)) - 1)
  const ours =
    sorted.find(({ subject }) => subject === "fiberhost") ?? sorted.find((row) => roleOf(origin, row) === "ours")
  const compares = sorted.some((row) => roleOf(origin, row) !== "ours")
  const left = labels + 8
  const right = width - 54 - (compares ? 60 : 0)
  const scale = new LogScale(sorted.map(of), right - left)
  const bottom = top + sorted.length * rowHeight
  const axis = scale.ticks.map((tick) => {
    const x = (left + scale.at(tick)).toFixed(1)
    return `<line class="grid" x1="${x}" x2="${x}" y1="${top - 4}" y2="${bottom}"/><text class="muted middle" x="${x}" y="${bottom + 14}">${compact(tick)}</text>`
  })
  const lines = sorted.map((row, n) => {
    const y = top + n * rowHeight
    const role = roleOf(origin, row)
    const text = `y="${y + 14}"${role === "ours" ? ' class="end bold"' : ' class="end"'}`
    const than = role === "ours" || ours === undefined ? "" : ratio(times(of(ours), of(row)))
    return {
      svg: [
        `<text x="${labels}" ${text}>${escape(row.subject)}</text>`,
        `<rect class="${role}" x="${left}" y="${y + 3}" width="${Math.max(1, scale.at(of(row))).toFixed(1)}" height="${rowHeight - 7}" rx="2"/>`,
        `<text x="${right + 50}" ${text}>${compact(of(row))}</text>`,
        than === "" ? "" : `<text class="muted end" x="${width - 4}" y="${y + 14}">${than}</text>`
      ].join(""),
      words: `${row.subject}${role === "ours" ? "" : ` (${role})`}: ${compact(of(row))}${than === "" ? "" : `, ours is ${than}`}`
    }
  })
  const columns = [
    `<text class="muted end" x="${right + 50}" y="${top - 9}">${unit}</text>`,
    compares && ours !== undefined ? `<text class="muted end" x="${width - 4}" y="${top - 9}">ours is</text>` : ""
  ]
  return {
    svg: [
      `<text class="title" x="0" y="14">${escape(title)}</text>`,
      ...axis,
      ...lines.map(({ svg }) => svg),
      ...columns
    ].join("\n"),
    height: bottom + 22,
    description: `${unit}. ${lines.map(({ words }) => words).join("; ")}`
  }
}

export function labelsOf(rows: ReadonlyArray<Row>): number {
  return Math.max(...rows.map(({ subject }) => widthOf(subject)))
}

function measureOf(rows: ReadonlyArray<Row>): Measure | undefined {
  return [rate, latency].find(({ of }) => rows.some((row) => of(row) > 0))
}
