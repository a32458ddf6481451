// Worker side: functions that piscina calls by their export's name.
import { move as moved } from "piscina"
import type { Bytes } from "../Calls.ts"

export { echo, noop, spin } from "./tasks.ts"

export function move(bytes: Bytes): unknown {
  return moved(bytes)
}
