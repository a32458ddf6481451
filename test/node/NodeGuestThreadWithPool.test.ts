import { onThreadWithPool } from "../fixtures/topologies.ts"
import { conformanceSuite } from "../suites/conformanceSuite.ts"
import { deadlineSuite } from "../suites/deadlineSuite.ts"
import { guestCallSuite } from "../suites/guestCallSuite.ts"
import { hostCallSuite } from "../suites/hostCallSuite.ts"
import { limitsSuite } from "../suites/limitsSuite.ts"
import { linkSuite } from "../suites/linkSuite.ts"
import { supervisorSuite } from "../suites/supervisorSuite.ts"
import { telemetrySuite } from "../suites/telemetrySuite.ts"

conformanceSuite(onThreadWithPool)
linkSuite(onThreadWithPool)
guestCallSuite(onThreadWithPool)
limitsSuite(onThreadWithPool)
deadlineSuite(onThreadWithPool)
supervisorSuite(onThreadWithPool)
telemetrySuite(onThreadWithPool)
hostCallSuite(onThreadWithPool)
