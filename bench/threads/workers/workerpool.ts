// Worker side: functions that workerpool calls by name.
import workerpool from "workerpool"
import type { Bytes } from "../Calls.ts"
import { echo, noop, spin } from "./tasks.ts"

const move = (bytes: Bytes) => new workerpool.Transfer(bytes, [bytes.buffer])

workerpool.worker({ noop, spin, echo, move })
