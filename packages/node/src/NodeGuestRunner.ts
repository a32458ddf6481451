/**
 * Worker side of `NodeGuestThread`: the module that its threads run. It is a program, so importing it runs it.
 */
import * as GuestRunner from "@fiberhost/wasm-host/GuestRunner"
import * as NodeRunner from "./internal/NodeRunner.ts"

NodeRunner.run((port, start) => GuestRunner.run(port, start))
