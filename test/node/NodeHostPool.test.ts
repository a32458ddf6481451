import { NodeHostPool } from "@fiberhost/node"
import { Work } from "../fixtures/work.ts"
import { hostPoolSuite } from "../suites/hostPoolSuite.ts"

const program = new URL("../fixtures/work.worker.ts", import.meta.url)

hostPoolSuite("a host pool over one thread", NodeHostPool.layer(Work, { program, size: 1 }))
hostPoolSuite("a host pool over two threads, bounded", NodeHostPool.layer(Work, { program, size: 2, concurrency: 4 }))
