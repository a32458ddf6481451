import * as NodeHostRunner from "@fiberhost/node/NodeHostRunner"
import { handlers, SoakPool } from "./SoakPool.ts"

NodeHostRunner.run(SoakPool, SoakPool.toLayer(handlers))
