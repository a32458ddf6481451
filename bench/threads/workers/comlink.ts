// Worker side: an object whose methods comlink calls.
import { parentPort } from "node:worker_threads"
import { expose, transfer } from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import type { Bytes } from "../Calls.ts"
import { echo, noop, spin } from "./tasks.ts"

const exposed = { noop, spin, echo, move: (bytes: Bytes) => transfer(bytes, [bytes.buffer]) }

export type Exposed = typeof exposed

expose(exposed, nodeEndpoint(parentPort!))
