import { inApplication } from "../fixtures/topologies.ts"
import { linkSuite } from "../suites/linkSuite.ts"

linkSuite(inApplication)
