/**
 * Worker side: who made a call of a guest, as the guest knows him: somebody on the owner's side, who sent one MessagePack value for each
 * argument, and is sent one. It ends with the call.
 */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as GuestError from "../../GuestError.ts"
import type { Guest } from "../guest/Guest.ts"
import type * as GuestCall from "../guest/GuestCall.ts"
import { nil, passBytes, type Raws } from "../guest/GuestCodec.ts"
import { type GuestMemory, TooLong } from "../memory/GuestMemory.ts"
import * as Signature from "../module/Signature.ts"

/** Who sends answers. */
export interface Answering {
  answer(id: number, exit: GuestCall.GuestExit<Uint8Array>, guest: Guest, hasBegun?: boolean): void
}

/** Callers, and what runs for them, are on the owner's side. */
export const nobody: Context.Context<never> = Context.empty()

/** The answer of a function that returns nothing. */
export const nilAnswer: Exit.Exit<Uint8Array> = Exit.succeed(nil)

/** The owner, who made a call for somebody of its own thread, with one MessagePack value for each argument. */
export class WireCaller implements GuestCall.Caller<Uint8Array> {
  readonly context = nobody
  readonly permit = undefined
  readonly observer = undefined
  private readonly server: Answering
  private readonly id: number
  private readonly guest: Guest
  private readonly signature: Signature.Signature
  private readonly args: ReadonlyArray<Uint8Array>

  constructor(
    server: Answering,
    id: number,
    guest: Guest,
    signature: Signature.Signature,
    args: ReadonlyArray<Uint8Array>
  ) {
    this.server = server
    this.id = id
    this.guest = guest
    this.signature = signature
    this.args = args
  }

  pass(memory: GuestMemory): Raws {
    return passBytes(this.signature, this.args, memory)
  }

  take(answer: number | bigint | undefined, memory: GuestMemory): GuestCall.GuestExit<Uint8Array> {
    const { name, result, sync } = this.signature
    if (result === "void") return nilAnswer
    if (result !== "bytes") return Exit.succeed(Signature.fromRaw(result, answer!))
    const taken = memory.take(answer as bigint)
    // fp-bindgen's SPEC.md lets a guest answer nothing with the null pointer.
    if (!(taken instanceof TooLong)) return !sync && taken.length === 0 ? nilAnswer : Exit.succeed(taken)
    const reason = new GuestError.ValueTooLarge({ path: "", limit: taken.limit })
    return Exit.fail(new GuestError.GuestError({ plugin: this.guest.signature.plugin, function: name, reason }))
  }

  exited(exit: GuestCall.GuestExit<Uint8Array>, hasBegun: boolean): void {
    this.server.answer(this.id, exit, this.guest, hasBegun)
  }
}
