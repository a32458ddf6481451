import { inApplication } from "../fixtures/topologies.ts"
import { supervisorSuite } from "../suites/supervisorSuite.ts"

supervisorSuite(inApplication)
