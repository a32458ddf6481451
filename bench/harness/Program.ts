import type { Effort } from "./Bench.ts"
import type { Role } from "./Subject.ts"

/** A benchmark that measures in its own way and prints what it found. */
export interface Program {
  readonly name: string
  /** Of subjects that are not ours. */
  readonly roles?: Readonly<Record<string, Role>>
  /** What a reader must know of its cases. */
  readonly notes?: string
  /** `quick`: within 50 seconds. What `--json` writes. */
  readonly run: (quick: boolean, asked: Asked) => Promise<ReadonlyArray<object>>
}

/** What the command line asks of a program that has cases. */
export interface Asked {
  /** By `--quick` and `--rounds`. */
  readonly effort: Effort
  /** By `--case`; undefined: nothing is said, and the program runs what it runs. */
  readonly isWanted: ((name: string) => boolean) | undefined
  /** Arguments that ask a process of its own for one case, with the same effort. */
  readonly arguments: (name: string) => ReadonlyArray<string>
}
