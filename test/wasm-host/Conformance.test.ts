import { inApplication } from "../fixtures/topologies.ts"
import { conformanceSuite } from "../suites/conformanceSuite.ts"

conformanceSuite(inApplication)
