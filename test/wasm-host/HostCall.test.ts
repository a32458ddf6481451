import { GuestExecutor } from "@fiberhost/wasm-host"
import { hostCallSuite } from "../suites/hostCallSuite.ts"

hostCallSuite("host calls of a guest in the application's thread", GuestExecutor.layer)
