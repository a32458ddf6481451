import { GuestExecutor } from "@fiberhost/wasm-host"
import { badGuestSuite } from "../suites/badGuestSuite.ts"

badGuestSuite("guests in the application's thread", GuestExecutor.layer())
