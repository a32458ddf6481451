/** The limits of a guest, checked and complete. */
import * as Count from "@fiberhost/core/Count"
import { maxValueBytes } from "../memory/GuestMemory.ts"

/** What a guest may use while it runs. */
export interface GuestLimits {
  /** Host functions that have not ended. */
  readonly hostCalls: number
  /** Bytes of one value. */
  readonly valueBytes: number
}

/** Throws a `RangeError` when one is no count. */
export const of = (limits: {
  readonly hostCalls?: number | undefined
  readonly valueBytes?: number | undefined
}): GuestLimits => ({
  hostCalls: Count.orInfinity("limits.hostCalls", limits.hostCalls ?? Infinity, 1),
  valueBytes: Math.min(maxValueBytes, Count.orInfinity("limits.valueBytes", limits.valueBytes ?? maxValueBytes, 1))
})
