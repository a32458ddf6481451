import { GuestExecutor } from "@fiberhost/wasm-host"
import { linkSuite } from "../suites/linkSuite.ts"

linkSuite("plugins loaded in the application's thread", GuestExecutor.layer())
