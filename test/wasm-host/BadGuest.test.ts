import { inApplication } from "../fixtures/topologies.ts"
import { badGuestSuite } from "../suites/badGuestSuite.ts"

badGuestSuite(inApplication)
