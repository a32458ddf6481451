import { inApplication } from "../fixtures/topologies.ts"
import { guestModelSuite } from "../suites/guestModelSuite.ts"

guestModelSuite(inApplication, 150)
