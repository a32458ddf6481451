import { inApplication } from "../fixtures/topologies.ts"
import { reentrySuite } from "../suites/reentrySuite.ts"

reentrySuite(inApplication)
