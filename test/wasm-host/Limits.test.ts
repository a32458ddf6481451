import { inApplication } from "../fixtures/topologies.ts"
import { limitsSuite } from "../suites/limitsSuite.ts"

limitsSuite(inApplication)
