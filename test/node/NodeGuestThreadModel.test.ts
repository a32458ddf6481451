import { onThread, onThreadWithPool } from "../fixtures/topologies.ts"
import { guestModelSuite } from "../suites/guestModelSuite.ts"

guestModelSuite(onThread, 60)
guestModelSuite(onThreadWithPool, 30)
