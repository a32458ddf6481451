import { GuestExecutor } from "@fiberhost/wasm-host"
import { guestCallSuite } from "../suites/guestCallSuite.ts"

guestCallSuite("calls of a guest in the application's thread", GuestExecutor.layer)
