/**
 * The host calls that a guest call waits for, in no order. One joins or leaves in constant time: each has its index in itself. It
 * owns nothing, and ends with its guest call.
 */
import type { RunningHostCall } from "./RunningHostCall.ts"

export class HostCalls {
  private readonly calls: Array<RunningHostCall> = []

  get size(): number {
    return this.calls.length
  }

  add(hostCall: RunningHostCall): void {
    hostCall.place = this.calls.length
    this.calls.push(hostCall)
  }

  /** It is one of these. The last one takes its place. */
  remove(hostCall: RunningHostCall): void {
    const last = this.calls.pop()!
    if (last === hostCall) return
    this.calls[hostCall.place] = last
    last.place = hostCall.place
  }

  /** Those that are there now: a copy, so that they may leave while it is read. */
  get members(): ReadonlyArray<RunningHostCall> {
    return this.calls.slice()
  }

  /** They have no owner any more. */
  pass(): void {
    // Most calls have none left, and to set the length of an array is a call into the engine.
    if (this.calls.length === 0) return
    for (const hostCall of this.calls) hostCall.owner = undefined
    this.calls.length = 0
  }
}
