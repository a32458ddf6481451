/**
 * A guest's statistics in shared memory: its thread writes them after each entry, its owner reads them at any time. They
 * are those of the last entry that a message tells of, or later ones.
 */
import type { Stats } from "../guest/Guest.ts"

const fields = ["hostCalls", "abandoned", "heldAsyncValues", "memory", "dead"] as const

export const memory = (): SharedArrayBuffer => new SharedArrayBuffer(fields.length * Float64Array.BYTES_PER_ELEMENT)

/** Guest's side. */
export const write = (cell: Float64Array, stats: Stats): void => {
  cell[0] = stats.hostCalls
  cell[1] = stats.abandoned
  cell[2] = stats.heldAsyncValues
  cell[3] = stats.memory
  cell[4] = stats.alive ? 0 : 1
}

/** Owner's side, who knows the calls himself. */
export const read = (cell: Float64Array, calls: number): Stats => ({
  calls,
  hostCalls: cell[0]!,
  abandoned: cell[1]!,
  heldAsyncValues: cell[2]!,
  memory: cell[3]!,
  alive: cell[4] === 0
})
