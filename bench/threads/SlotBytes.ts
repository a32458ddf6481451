// The bytes that calls carry. Each slot has its own, which a moved call takes along and brings back. All subjects share them: only one
// is measured at a time, and 64 MiB for each would be more than the machine has.
import type { Bytes } from "./Calls.ts"

/** What a call carries. Its first and last byte are the stamp, so that the answer to another call is noticed. */
export interface Sent {
  readonly bytes: Bytes
  readonly size: number
  readonly stamp: number
}

const slots = new Map<number, Array<Bytes>>()
let calls = 0

export function take(slot: number, size: number): Sent {
  const ofSize = slots.get(size) ?? []
  slots.set(size, ofSize)
  let bytes = ofSize[slot]
  // Gone if a call that moved them failed.
  if (bytes?.byteLength !== size) bytes = ofSize[slot] = new Uint8Array(size).fill(0x5a)
  const stamp = calls++ & 0xff
  bytes[0] = stamp
  bytes[size - 1] = stamp
  return { bytes, size, stamp }
}

export function checkCopied(sent: Sent, answer: Uint8Array): void {
  if (sent.bytes.byteLength !== sent.size) throw new Error("moved what was to be copied")
  check(sent, answer)
}

export function checkMoved(slot: number, sent: Sent, answer: Bytes): void {
  if (sent.bytes.byteLength !== 0) throw new Error("copied what was to be moved")
  check(sent, answer)
  slots.get(sent.size)![slot] = answer
}

function check({ size, stamp }: Sent, answer: Uint8Array): void {
  if (answer.byteLength !== size || answer[0] !== stamp || answer[size - 1] !== stamp)
    throw new Error("answered other bytes")
}
