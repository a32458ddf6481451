// What a benchmark compares. A subject is opened once for each case, gets its share of every round, and is closed when the case ends:
// threads start and stop outside of the timed slices.
import type { Slice } from "./Slice.ts"

/** What is measured, under a name that `--case` selects by. */
export interface Case {
  readonly name: string
  /** Calls that are under way at any time of a slice. */
  readonly inFlight: number
  /** How many calls to one that is timed, where a call takes little more than the clock does. Default: by `inFlight`. */
  readonly every?: number
}

/** `ours` is compared, with the best `peer` and with the `floor`: what a program could do by hand, which is no pool. */
export type Role = "ours" | "peer" | "floor"

export interface Subject<C extends Case> {
  readonly name: string
  readonly role: Role
  /** Whether it can be asked what the case asks. Default: always. */
  readonly takes?: (benchCase: C) => boolean
  /** Ready to be called, its workers running. A rejection skips the subject in this case, and is printed. */
  readonly open: (benchCase: C) => Promise<Session>
}

export interface Session {
  /** Keeps the slice's calls in flight until it is over, and ends once all of them have been answered and checked. */
  readonly run: (slice: Slice) => Promise<void>
  readonly close: () => Promise<void>
}
