// What each thread of the pool runs: the handlers, and the tracer that their spans go to.
import { NodeHostRunner } from "@fiberhost/node"
import { Effect, Layer } from "effect"
import { Hashing } from "../report/contract.ts"
import { hashing } from "../report/hashing.ts"
import { tracing } from "./tracing.ts"

const handlers = Hashing.toLayer({
  sha256: (payload) => Effect.withSpan(hashing.sha256(payload), "hash", { attributes: { bytes: payload.bytes.length } })
})

NodeHostRunner.run(Hashing, Layer.provide(handlers, tracing("host thread", process.env["COLLECTOR"]!)))
