// What each thread of the hashing pool runs.
import { NodeHostRunner } from "@fiberhost/node"
import { Hashing } from "./contract.ts"
import { hashing } from "./hashing.ts"

NodeHostRunner.run(Hashing, Hashing.toLayer(hashing))
