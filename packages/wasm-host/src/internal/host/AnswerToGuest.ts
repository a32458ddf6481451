/**
 * The answer of a host function on its way to the guest: by its import, when the function had it at once, or in a turn of its own on
 * the guest's stack.
 */
import type * as HostCallError from "@fiberhost/core/HostCallError"
import * as GuestError from "../../GuestError.ts"
import type { Guest, Turn } from "../guest/Guest.ts"
import type * as GuestCall from "../guest/GuestCall.ts"
import * as Signature from "../module/Signature.ts"
import type { HostExit } from "./HostAnswer.ts"
import * as HostAnswer from "./HostAnswer.ts"
import type { HostCall } from "./HostCall.ts"

export class AnswerToGuest implements HostAnswer.Recipient, Turn {
  private readonly guest: Guest
  private readonly signature: Signature.Signature
  readonly call: GuestCall.GuestCall | undefined
  private readonly hostCall: HostCall | undefined
  private readonly exit: HostExit
  private size = 0
  /** As an import returns it, or as it lies in guest memory for an async one. Undefined when there is none, or no room for it. */
  private value: number | bigint | undefined

  /** `hostCall`: undefined of a function that had its exit at once, and that nobody observes. */
  constructor(
    guest: Guest,
    signature: Signature.Signature,
    owner: GuestCall.GuestCall | undefined,
    hostCall: HostCall | undefined,
    exit: HostExit
  ) {
    this.guest = guest
    this.signature = signature
    this.call = owner
    this.hostCall = hostCall
    this.exit = exit
  }

  get kind(): "resolve" {
    return "resolve"
  }

  get leftCall(): GuestCall.GuestCall | undefined {
    return this.call?.leftCall ?? this.hostCall?.leftCall
  }

  get valueBytes(): number {
    return this.guest.limits.valueBytes
  }

  /** Host to guest: resolves what the guest waits for. */
  enter(): void {
    const { guest, hostCall } = this
    const value = this.pass()
    // What runs in the answer may have closed the guest.
    if (value === undefined || guest.dead !== undefined) return
    // Of one that was answered while it began it is known only now.
    guest.resolve(hostCall!.asyncValue, value as bigint)
    guest.asyncValues.retire(hostCall!.asyncValue)
  }

  /**
   * Host to guest: undefined when an async one has no answer, or no room for it: the guest's future will never be answered, so the
   * call that waits for it fails, and others go on. A sync one unwinds its guest then: no value may be made up, and the guest waits
   * for one on its stack.
   */
  pass(): number | bigint | undefined {
    const refused = HostAnswer.write(this.signature, this.exit, this)
    return refused === undefined && this.value !== undefined ? this.value : this.failed(refused)
  }

  receive(bytes: Uint8Array, size: number, view?: DataView): void {
    const { result, sync } = this.signature
    this.size = size
    const { leftCall } = this.guest
    if (leftCall !== undefined && this.isErr(bytes, size)) leftCall.isTold = true
    if (!sync || result === "bytes") this.value = this.guest.memory.tryWrite(bytes, size, view)
    else if (result !== "void") this.value = Signature.toRaw(result, bytes.subarray(0, size))
  }

  /** Whether it is the Err that its contract has for an interruption. */
  private isErr(bytes: Uint8Array, size: number): boolean {
    const err = this.signature.onInterrupt
    return err !== undefined && err.length === size && err.every((byte, i) => byte === bytes[i])
  }

  onUnheard(error: HostCallError.HostCallError): void {
    const { call, guest, hostCall } = this
    guest.tellUnheard(error, call, (hostCall ?? call ?? guest).context)
  }

  private failed(refused: HostCallError.HostCallError | undefined): undefined {
    const { call, guest } = this
    const { result, sync } = this.signature
    // A sync one that returns nothing.
    if (refused === undefined && sync && result === "void") return undefined
    const reason =
      refused === undefined
        ? new GuestError.OutOfMemory({ bytes: this.size })
        : new GuestError.HostFunctionFailed({ error: refused })
    if (sync) throw unwind(guest, reason)
    guest.abandoned++
    if (call?.isSettled === false) call.fail(reason)
    return undefined
  }
}

/** What the host throws through guest frames on purpose. */
export const unwind = (guest: Guest, reason: GuestError.Reason): GuestError.GuestFault =>
  (guest.unwinding = new GuestError.GuestFault(reason))
