// Worker side of our own subjects.
import * as NodeHostRunner from "@fiberhost/node/NodeHostRunner"
import * as Effect from "effect/Effect"
import { Tasks } from "../Tasks.ts"
import { noop, spin } from "./tasks.ts"

NodeHostRunner.run(
  Tasks,
  Tasks.toLayer({
    noop: (value) => Effect.succeed(noop(value)),
    spin: (value) => Effect.sync(() => spin(value)),
    echo: ({ bytes }) => Effect.succeed(bytes),
    move: ({ bytes }) => Effect.succeed(bytes)
  })
)
