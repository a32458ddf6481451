import { inApplication } from "../fixtures/topologies.ts"
import { leakSuite } from "../suites/leakSuite.ts"

leakSuite(inApplication, [
  [100_000, 100],
  [1_000_000, 66]
])
