import { onThread } from "../fixtures/topologies.ts"
import { conformanceSuite } from "../suites/conformanceSuite.ts"
import { deadlineSuite } from "../suites/deadlineSuite.ts"
import { guestCallSuite } from "../suites/guestCallSuite.ts"
import { hostCallSuite } from "../suites/hostCallSuite.ts"
import { leakSuite } from "../suites/leakSuite.ts"
import { limitsSuite } from "../suites/limitsSuite.ts"
import { linkSuite } from "../suites/linkSuite.ts"
import { reentrySuite } from "../suites/reentrySuite.ts"
import { supervisorSuite } from "../suites/supervisorSuite.ts"
import { telemetrySuite } from "../suites/telemetrySuite.ts"

conformanceSuite(onThread)
linkSuite(onThread)
guestCallSuite(onThread)
limitsSuite(onThread)
deadlineSuite(onThread)
supervisorSuite(onThread)
reentrySuite(onThread)
telemetrySuite(onThread)
hostCallSuite(onThread)
leakSuite(onThread, [[30_000, 100]])
