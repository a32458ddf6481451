/**
 * A guest of this thread as its callers see it: calls come with values, and go in as the export takes them. It ends with its guest.
 */
import type * as Admission from "@fiberhost/core/Admission"
import type * as Context from "effect/Context"
import type * as GuestError from "../../GuestError.ts"
import type { Call } from "../call/Call.ts"
import type { Instance, Receipt } from "../call/Instance.ts"
import { Usage } from "../call/Usage.ts"
import * as RunningHostCall from "../host/RunningHostCall.ts"
import { DirectCall, type DirectOutcome } from "./DirectCall.ts"
import type { Guest } from "./Guest.ts"
import * as GuestCall from "./GuestCall.ts"
import type { GuestCodec } from "./GuestCodec.ts"

export class GuestInstance implements Instance {
  readonly missing: ReadonlyArray<string>
  readonly inCallingThread = true
  private readonly guest: Guest
  private readonly direct: DirectCall

  constructor(guest: Guest, missing: ReadonlyArray<string>, admission: Admission.Admission) {
    this.guest = guest
    this.direct = new DirectCall(guest, admission)
    this.missing = missing
  }

  get dead(): GuestError.Reason | undefined {
    return this.guest.dead
  }

  onDeath(listener: (reason: GuestError.Reason) => void): void {
    if (this.guest.dead === undefined) this.guest.onDeath = listener
    else listener(this.guest.dead)
  }

  blockedBy(context: Call["context"]): string | undefined {
    return RunningHostCall.blockedBy(context, this.guest)
  }

  enter(call: Call): void {
    if (this.guest.lock.isHeld && !call.keep()) return
    // What runs in its payload may have interrupted its caller.
    if (call.isSettled) return
    const usage = call.isMeasured ? new Usage(call.observer !== undefined) : undefined
    const entered = new GuestCall.GuestCall(this.guest, call.index, call, usage)
    call.entered = entered
    const exit = GuestCall.start(entered)
    if (exit !== undefined) call.exited(exit, entered.hasBegun)
  }

  callDirectly(index: number, codec: GuestCodec, payload: unknown, context: Context.Context<never>): DirectOutcome {
    return this.direct.run(index, codec, payload, context)
  }

  stats() {
    return this.guest.stats
  }

  /** Whoever could look is not running while the guest is. */
  strayEntry(): undefined {}

  receipt(): Receipt {
    return { isThere: true }
  }

  terminate(): boolean {
    return false
  }
}
