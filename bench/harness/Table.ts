// What a run prints: on which machine, and for each case a table of its subjects, the fastest first.
import { type CaseResult, type Measurement, medianRound } from "./Bench.ts"
import type { Origin } from "./Origin.ts"

export function heading({ bench, commit, date, effort, machine, platform }: Origin): string {
  return [`${bench}${effort === "" ? "" : `: ${effort}`}`, machine, `${platform}, ${date}, commit ${commit}`].join("\n")
}

export function table({ name, measurements, skipped }: CaseResult): string {
  const bestPeer = fastest(measurements.filter(({ role }) => role === "peer"))
  const floor = fastest(measurements.filter(({ role }) => role === "floor"))
  const columns = ["subject", "ops/s", "min..max", "p50 us", "p99 us", "x best peer", `x ${floor?.subject ?? "floor"}`]
  const rows = measurements
    .toSorted((a, b) => opsPerSec(b) - opsPerSec(a))
    .map((measurement) => {
      const { opsPerSec: ops, p50us, p99us } = medianRound(measurement.rounds)
      const every = measurement.rounds.map((round) => round.opsPerSec)
      return [
        measurement.subject,
        count(ops),
        `${count(Math.min(...every))}..${count(Math.max(...every))}`,
        microseconds(p50us),
        microseconds(p99us),
        ratio(ops, bestPeer),
        ratio(ops, floor)
      ]
    })
  return [
    `\n${name}${bestPeer === undefined ? "" : ` (best peer: ${bestPeer.subject})`}`,
    ...aligned([columns, ...rows]),
    ...skipped.map(({ subject, because }) => `  ${subject}: skipped: ${because}`)
  ].join("\n")
}

function fastest(measurements: ReadonlyArray<Measurement>): Measurement | undefined {
  return measurements.toSorted((a, b) => opsPerSec(b) - opsPerSec(a))[0]
}

function opsPerSec({ rounds }: Measurement): number {
  return medianRound(rounds).opsPerSec
}

function ratio(ops: number, to: Measurement | undefined): string {
  return to === undefined ? "-" : (ops / opsPerSec(to)).toFixed(2)
}

function count(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en")
}

function microseconds(value: number | null): string {
  return value === null ? "-" : value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en")
}

/** The first column to the left, the others to the right. */
export function aligned(rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? `  ${cell.padEnd(widths[0]!)}` : cell.padStart(widths[column]!)))
      .join("  ")
  )
}
