import { createHash } from "node:crypto"
import { NodeHostRunner } from "@fiberhost/node"
import { Effect } from "effect"
import { Hashing } from "./contract.js"

NodeHostRunner.run(
  Hashing,
  Hashing.toLayer(
    Effect.map(Effect.service(Hashing.initial), (algorithm) => ({
      sha256: ({ bytes }) => Effect.sync(() => createHash(algorithm).update(bytes).digest("hex"))
    }))
  )
)
