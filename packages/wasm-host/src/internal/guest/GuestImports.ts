/**
 * What a guest imports: its contract's host functions, and the resolve of its async exports. Made with the instance, and ends
 * with it. Each is entered from the guest's stack: what it throws goes through the guest's frames, and is the guest's end.
 */
import * as HostCall from "../host/HostCall.ts"
import * as Link from "../module/Link.ts"
import type { Guest } from "./Guest.ts"
import * as GuestCall from "./GuestCall.ts"
import * as StackRoom from "./StackRoom.ts"

/** `imports`: the functions that the module imports, by name. It gets no others. */
export const make = (guest: Guest, imports: ReadonlyArray<string>): WebAssembly.Imports => {
  const functions: Record<string, (...raws: Array<never>) => unknown> = {
    [Link.hostResolve]: (asyncValue: bigint, answer: bigint) => {
      begin(guest)
      try {
        GuestCall.resolved(guest, asyncValue, answer)
      } catch (error) {
        throw thrown(guest, error)
      }
    }
  }
  const indexes = Link.importIndexes(guest.signature)
  for (const name of imports) {
    const index = indexes.get(name)
    if (index !== undefined) functions[name] = hostFunction(guest, index)
  }
  return { [Link.importModule]: functions }
}

/** Guest to host: a host function of the contract. */
const hostFunction =
  (guest: Guest, index: number) =>
  (...raws: Array<number | bigint>) => {
    begin(guest)
    try {
      return HostCall.run(guest, index, raws)
    } catch (error) {
      throw thrown(guest, error)
    }
  }

/** Guest to host: an import begins. */
const begin = (guest: Guest): void => {
  if (guest.unwinding !== undefined) throw guest.unwinding
  StackRoom.check()
}

/** Guest to host: what an import threw ends the entry, also where the guest catches exceptions: the host's own frames are gone. */
const thrown = (guest: Guest, error: unknown): unknown => {
  guest.unwinding ??= error
  return error
}
