// Worker side: functions that tinypool calls by their export's name.
import { Tinypool } from "tinypool"
import type { Bytes } from "../Calls.ts"

export { echo, noop, spin } from "./tasks.ts"

export function move(bytes: Bytes): unknown {
  return Tinypool.move(bytes)
}
