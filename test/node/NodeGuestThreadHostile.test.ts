import { onThread, onThreadWithPool } from "../fixtures/topologies.ts"
import { hostileSuite } from "../suites/hostileSuite.ts"

hostileSuite(onThread)
hostileSuite(onThreadWithPool)
