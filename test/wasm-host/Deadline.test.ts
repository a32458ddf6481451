import { inApplication } from "../fixtures/topologies.ts"
import { deadlineSuite } from "../suites/deadlineSuite.ts"

deadlineSuite(inApplication)
