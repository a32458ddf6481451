/**
 * Guest's side of `NodeGuestThread`: the module that its threads run. It is a program, so importing it runs it.
 */
import { workerData } from "node:worker_threads"
import * as GuestRunner from "@fiberhost/wasm-host/GuestRunner"
import * as NodeRunner from "./internal/NodeRunner.ts"

NodeRunner.run((port) => GuestRunner.run(port, workerData))
