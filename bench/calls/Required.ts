// What is asked of our host: for each case how many calls it must answer to one of another's, and what a run found.
import type { Row } from "../harness/Bench.ts"
import { aligned } from "../harness/Table.ts"

/** The least ratio in each case; `undefined` where it is of interest only. */
interface Required {
  readonly subject: string
  readonly to: string
  /** Compares what the median call took instead: where memory is given back now and then, for many calls at once. */
  readonly byMedian?: boolean
  readonly cases: Readonly<Record<string, number | undefined>>
}

const ofBoth = (calls: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(calls).flatMap(([call, least]) => [1, 64].map((n) => [`${call}/${n}`, least])))

const required: ReadonlyArray<Required> = [
  {
    subject: "fiberhost",
    to: "fp-bindgen",
    cases: {
      ...{ u32: undefined, string: 3, struct: 2.5, nested: 1.8, f64x1000: 2.8, bytes64KiB: 1.5 },
      ...ofBoth({ async: 2.2, async1: 2.2, fetch: 1.8, join10: 5 }),
      ...ofBoth({ "async1-pending": 1, "fetch-pending": 1.2, "join10-pending": 1.2 }),
      instantiate: undefined
    }
  },
  { subject: "fiberhost", to: "extism", cases: { string: 4, struct: 4, bytes64KiB: 4, "async1/1": 4 } },
  { subject: "fiberhost", to: "extism-worker", cases: { string: 20, struct: 20, bytes64KiB: 20, "async1/1": 20 } },
  { subject: "fiberhost", to: "floor", cases: { instantiate: undefined } },
  { subject: "fiberhost", to: "floor", byMedian: true, cases: { instantiate: 1 / 1.3 } },
  {
    subject: "fiberhost-sync",
    to: "floor",
    cases: { string: undefined, struct: 0.7, nested: undefined, f64x1000: undefined, bytes64KiB: undefined }
  },
  { subject: "fiberhost-sync", to: "fp-bindgen", cases: { u32: 0.8 } },
  {
    subject: "fiberhost-guest-thread",
    to: "fp-bindgen",
    cases: { "string/64": undefined, "struct/64": 1.2, "async1/64": undefined, "fetch/64": 1.2, "join10/64": 1.2 }
  },
  {
    subject: "fiberhost-guest-thread-host-pool",
    to: "fp-bindgen",
    cases: { "fetch/64": undefined, "join10/64": undefined }
  }
]

/** How much of its speed alone a call must keep where all calls are made in one process. */
const kept = 0.6

export function summary(rows: ReadonlyArray<Row>): string {
  const found = new Map(rows.map((row) => [`${row.subject} ${row.case}`, row]))
  const lines = required.flatMap(({ subject, to, byMedian = false, cases }) => {
    const speed = (subject: string, name: string) => {
      const { opsPerSec = Number.NaN, p50us } = found.get(`${subject} ${name}`) ?? {}
      return byMedian ? 1 / (p50us ?? Number.NaN) : opsPerSec
    }
    return Object.entries(cases).flatMap(([name, least]) => {
      const alone = speed(subject, name) / speed(to, name)
      const mixed = speed(subject, `${name}-mixed`) / speed(to, `${name}-mixed`)
      const ofAlone = speed(subject, `${name}-mixed`) / speed(subject, name)
      if (Number.isNaN(alone) && Number.isNaN(mixed)) return []
      const isShort = (least !== undefined && alone < least) || ofAlone < kept
      const figures = [least, alone, mixed, ofAlone].map(figure)
      return [[`${subject} / ${to}${byMedian ? ", median" : ""}`, name, ...figures, isShort ? "short" : ""]]
    })
  })
  const columns = ["calls a second", "case", "required", "alone", "mixed", `of alone (${kept})`, ""]
  return ["", "summary", ...aligned([columns, ...lines])].join("\n")
}

function figure(ratio: number | undefined): string {
  return ratio === undefined || Number.isNaN(ratio) ? "-" : ratio.toFixed(2)
}
