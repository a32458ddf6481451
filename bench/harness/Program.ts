/** A benchmark that compares nothing: it measures in its own way and prints what it found. */
export interface Program {
  readonly name: string
  /** `quick`: within 50 seconds. What `--json` writes. */
  readonly run: (quick: boolean) => Promise<ReadonlyArray<object>>
}
