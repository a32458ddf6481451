/**
 * A guest's statistics in shared memory: its thread writes them around each entry, its owner reads them at any time. They
 * are those of the last entry that a message tells of, or later ones.
 */
import type { Stats } from "../call/Instance.ts"
import type { Guest } from "../guest/Guest.ts"

/** Where each is in the cell. `madeHostCalls`: all that it has called; `current`: the wire's id of a call. */
const at = {
  hostCalls: 0,
  abandoned: 1,
  heldAsyncValues: 2,
  memory: 3,
  dead: 4,
  entered: 5,
  entries: 6,
  madeHostCalls: 7,
  inside: 8,
  current: 9
} as const

export const memory = (): SharedArrayBuffer =>
  new SharedArrayBuffer(Object.keys(at).length * Float64Array.BYTES_PER_ELEMENT)

/** Worker side: the guest is about to be made, and its start function to run. */
export const begin = (cell: Float64Array): void => {
  cell[at.entered] = 1
}

/** Worker side: no guest was made. */
export const fail = (cell: Float64Array): void => {
  cell[at.entered] = 0
}

/** Worker side. Of an entry that begins only which it is has changed. */
export const write = (cell: Float64Array, guest: Guest): void => {
  cell[at.entries] = guest.used.entries
  cell[at.current] = guest.owner?.id ?? 0
  cell[at.entered] = guest.entered ? 1 : 0
  if (guest.entered) return
  cell[at.hostCalls] = guest.hostCalls.size
  cell[at.abandoned] = guest.abandoned
  cell[at.heldAsyncValues] = guest.asyncValues.held
  cell[at.memory] = guest.memory.byteLength
  cell[at.dead] = guest.dead === undefined ? 0 : 1
  cell[at.madeHostCalls] = guest.used.hostCalls
  cell[at.inside] = guest.used.inside
}

/** Owner's side, who knows the calls himself. */
export const read = (cell: Float64Array, calls: number): Stats => ({
  calls,
  hostCalls: cell[at.hostCalls]!,
  abandoned: cell[at.abandoned]!,
  heldAsyncValues: cell[at.heldAsyncValues]!,
  memory: cell[at.memory]!,
  alive: cell[at.dead] === 0,
  used: { entries: cell[at.entries]!, hostCalls: cell[at.madeHostCalls]!, inside: cell[at.inside]! }
})

/** Owner's side: whether the guest is on its thread's stack, so that it may be what holds the thread up. */
export const isEntered = (cell: Float64Array): boolean => cell[at.entered] === 1

/** Owner's side: the wire's id of the call that the entry on the stack runs for; 0 when no call owns it. */
export const current = (cell: Float64Array): number => cell[at.current]!
