/** The limits of a guest, checked and complete. */
import type { Limits } from "./Guest.ts"
import { maxValueBytes } from "./GuestMemory.ts"

/** Throws a `RangeError` when one is no count. */
export const of = (limits: {
  readonly hostCalls?: number | undefined
  readonly valueBytes?: number | undefined
}): Limits => ({
  hostCalls: count("hostCalls", limits.hostCalls ?? Infinity),
  valueBytes: Math.min(maxValueBytes, count("valueBytes", limits.valueBytes ?? maxValueBytes))
})

const count = (name: string, value: number): number => {
  if (value === Infinity || (Number.isInteger(value) && value >= 1)) return value
  throw new RangeError(`limits.${name} is ${value}: it must be an integer of at least 1`)
}
