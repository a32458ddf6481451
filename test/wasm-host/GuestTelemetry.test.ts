import { inApplication } from "../fixtures/topologies.ts"
import { telemetrySuite } from "../suites/telemetrySuite.ts"

telemetrySuite(inApplication)
