import { GuestExecutor } from "@fiberhost/wasm-host"
import { conformanceSuite } from "../suites/conformanceSuite.ts"

conformanceSuite("a guest in the application's thread", GuestExecutor.layer())
