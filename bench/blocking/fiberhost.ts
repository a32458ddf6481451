// Our own subject: a handle of a pool, opened by the code that calls.
import { ThreadPool } from "@fiberhost/core"
import { NodeBlocking, NodeThreads } from "@fiberhost/node"
import { Effect, Exit, Scope } from "effect"
import type { Subject } from "../harness/Subject.ts"
import { Tasks } from "../threads/Tasks.ts"
import { type BlockingCase, blockingSession } from "./Calls.ts"

export const fiberhost: Subject<BlockingCase> = {
  name: "fiberhost",
  role: "ours",
  open: async (benchCase) => {
    const scope = Scope.makeUnsafe()
    const handle = await Effect.runPromise(
      Effect.gen(function* () {
        const program = new URL("../threads/workers/fiberhost.ts", import.meta.url)
        const pool = yield* ThreadPool.make(Tasks, { program, concurrency: 64 })
        return yield* Effect.provideService(NodeBlocking.handle(Tasks), Tasks, pool)
      }).pipe(Effect.provide(NodeThreads.layer()), Scope.provide(scope))
    )
    const { echo } = NodeBlocking.open(Tasks, handle)
    return blockingSession(
      benchCase,
      (bytes) => {
        const receiver = echo.spawnBlockingOrThrow({ bytes })
        return () => receiver.recvOrThrow()
      },
      () => Effect.runPromise(Scope.close(scope, Exit.void))
    )
  }
}
