import { inApplication } from "../fixtures/topologies.ts"
import { hostCallSuite } from "../suites/hostCallSuite.ts"

hostCallSuite(inApplication)
