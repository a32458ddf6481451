import * as NodeHostRunner from "@fiberhost/node/NodeHostRunner"
import { Host, handlers } from "./Host.ts"

NodeHostRunner.run(Host, Host.toLayer(handlers))
