import { inApplication } from "../fixtures/topologies.ts"
import { hostileSuite } from "../suites/hostileSuite.ts"

hostileSuite(inApplication)
