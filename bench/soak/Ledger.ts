// What became of each call of the soak: a call is opened, and must be closed once, with the answer that it asked for.
import { GuestError } from "@fiberhost/wasm-host"
import { Exit } from "effect"

export class Ledger {
  answered = 0
  /** A caller's fiber ends once, so this cannot be other than 0: an answer too many shows as another call's, which ends the run. */
  twice = 0
  readonly failed = new Map<string, number>()
  private readonly open = new Set<number>()
  private next = 0

  begin(): number {
    const id = this.next++
    this.open.add(id)
    return id
  }

  end(id: number, exit: Exit.Exit<unknown, unknown>): void {
    if (!this.open.delete(id)) {
      this.twice++
      return
    }
    if (Exit.isSuccess(exit)) this.answered++
    else this.count(reasonOf(exit))
  }

  get lost(): number {
    return this.open.size
  }

  private count(reason: string): void {
    this.failed.set(reason, (this.failed.get(reason) ?? 0) + 1)
  }
}

const reasonOf = (exit: Exit.Failure<unknown, unknown>): string => {
  if (Exit.hasInterrupts(exit)) return "Interrupted"
  if (Exit.hasDies(exit)) return "Defect"
  const reason = GuestError.reasonOf(exit)
  if (reason === undefined) return "Contract"
  if (reason._tag === "HostFunctionFailed") return `${reason._tag}-${reason.error.reason._tag}`
  return reason._tag === "DeadlineExceeded" ? `${reason._tag}-${reason.phase}` : reason._tag
}
