/**
 * A guest's statistics in shared memory: its thread writes them around each entry, its owner reads them at any time. They
 * are those of the last entry that a message tells of, or later ones.
 */
import type { Stats } from "../call/Instance.ts"
import type { Guest } from "../guest/Guest.ts"

const fields = [
  "hostCalls",
  "abandoned",
  "heldAsyncValues",
  "memory",
  "dead",
  "entered",
  "entries",
  "hostCallsSoFar",
  "inside",
  "current"
] as const

export const memory = (): SharedArrayBuffer => new SharedArrayBuffer(fields.length * Float64Array.BYTES_PER_ELEMENT)

/** Worker side: the guest is about to be made, and its start function to run. */
export const begin = (cell: Float64Array): void => {
  cell[5] = 1
}

/** Worker side: no guest was made. */
export const fail = (cell: Float64Array): void => {
  cell[5] = 0
}

/** Worker side. Of an entry that begins only which it is has changed. */
export const write = (cell: Float64Array, guest: Guest): void => {
  cell[6] = guest.used.entries
  cell[9] = guest.current?.isSettled === false ? guest.current.id : 0
  cell[5] = guest.entered ? 1 : 0
  if (guest.entered) return
  cell[0] = guest.hostCalls.size
  cell[1] = guest.abandoned
  cell[2] = guest.asyncValues.held
  cell[3] = guest.memory.byteLength
  cell[4] = guest.dead === undefined ? 0 : 1
  cell[7] = guest.used.hostCalls
  cell[8] = guest.used.inside
}

/** Owner's side, who knows the calls himself. */
export const read = (cell: Float64Array, calls: number): Stats => ({
  calls,
  hostCalls: cell[0]!,
  abandoned: cell[1]!,
  heldAsyncValues: cell[2]!,
  memory: cell[3]!,
  alive: cell[4] === 0,
  used: { entries: cell[6]!, hostCalls: cell[7]!, inside: cell[8]! }
})

/** Owner's side: whether the guest is on its thread's stack, so that it may be what holds the thread up. */
export const isEntered = (cell: Float64Array): boolean => cell[5] === 1

/** Owner's side: the wire's id of the call that the entry on the stack runs for; 0 when no call owns it. */
export const current = (cell: Float64Array): number => cell[9]!
