/** The limits of a guest, checked and complete. */
import * as Count from "@fiberhost/core/Count"
import { maxValueBytes } from "../memory/GuestMemory.ts"
import type { Limits } from "./Guest.ts"

/** Throws a `RangeError` when one is no count. */
export const of = (limits: {
  readonly hostCalls?: number | undefined
  readonly valueBytes?: number | undefined
}): Limits => ({
  hostCalls: Count.orInfinity("limits.hostCalls", limits.hostCalls ?? Infinity, 1),
  valueBytes: Math.min(maxValueBytes, Count.orInfinity("limits.valueBytes", limits.valueBytes ?? maxValueBytes, 1))
})
