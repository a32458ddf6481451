import { inApplication } from "../fixtures/topologies.ts"
import { guestCallSuite } from "../suites/guestCallSuite.ts"

guestCallSuite(inApplication)
