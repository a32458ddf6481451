// Worker side: functions that poolifier calls by name. Its workers have no way to transfer an answer, so `move` answers a copy.
import { ThreadWorker } from "poolifier"
import type { Bytes, SmallObject } from "../Calls.ts"
import { echo, noop, spin } from "./tasks.ts"

export default new ThreadWorker<never, unknown>({
  noop: (value?: SmallObject) => noop(value!),
  spin: (value?: SmallObject) => spin(value!),
  echo: (bytes?: Bytes) => echo(bytes!),
  move: (bytes?: Bytes) => bytes!
})
