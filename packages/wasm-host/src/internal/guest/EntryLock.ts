/**
 * Exactly one entry on the guest's stack.
 *
 * The guest's own executor keeps a cell borrowed while a task runs, so entering it from inside an import traps it (docs/abi.md,
 * "Rules", 1). Entries asked for meanwhile wait until the stack is empty: resolves ahead of calls, each kind in order.
 * Resolves are never counted and never refused: they are answers that the guest waits for.
 */
export class EntryLock<Entry> {
  private held = false
  private waiting = 0
  private readonly resolves = new Turns<Entry>()
  private readonly calls = new Turns<Entry>()
  private readonly run: (entry: Entry) => void

  /** `run` must not throw. */
  constructor(run: (entry: Entry) => void) {
    this.run = run
  }

  get isHeld(): boolean {
    return this.held
  }

  /** Takes the lock, if nobody holds it: whoever has it runs one entry, and releases it. */
  take(): boolean {
    if (this.held) return false
    this.held = true
    return true
  }

  /** `entry` runs when its turn comes. */
  wait(kind: "resolve" | "call", entry: Entry): void {
    const line = kind === "resolve" ? this.resolves : this.calls
    line.push(entry)
    this.waiting++
  }

  /** Runs those that wait, and lets the next in. */
  release(): void {
    if (this.waiting > 0) this.runWaiting()
    this.held = false
  }

  private runWaiting(): void {
    while (this.waiting > 0) {
      this.waiting--
      this.run((this.resolves.shift() ?? this.calls.shift())!)
    }
  }
}

/** First in, first out, in constant time on average. */
class Turns<Entry> {
  private entries: Array<Entry> = []
  private first = 0

  push(entry: Entry): void {
    this.entries.push(entry)
  }

  shift(): Entry | undefined {
    if (this.first === this.entries.length) return undefined
    const entry = this.entries[this.first++]
    if (this.first === this.entries.length) {
      this.entries = []
      this.first = 0
    }
    return entry
  }
}
