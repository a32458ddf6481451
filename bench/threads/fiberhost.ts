// Our own subjects: `fiberhost`, whose callers are fibers, and `fiberhost-promise`.
import { ThreadPool } from "@fiberhost/core"
import { NodeHostPool, NodeThreads } from "@fiberhost/node"
import { Context, Effect, Exit, Scope } from "effect"
import type { Subject } from "../harness/Subject.ts"
import { type Bytes, effectSession, promiseSession, type ThreadsCase } from "./Calls.ts"
import { Tasks } from "./Tasks.ts"

const options = (benchCase: ThreadsCase) => ({
  program: new URL("./workers/fiberhost.ts", import.meta.url),
  size: benchCase.threads,
  // As many as the case has in flight, as the tuned peers are set up.
  concurrency: benchCase.inFlight
})

const withFibers: Subject<ThreadsCase> = {
  name: "fiberhost",
  role: "ours",
  open: async (benchCase) => {
    const scope = Scope.makeUnsafe()
    const pool = await Effect.runPromise(
      ThreadPool.make(Tasks, options(benchCase)).pipe(Effect.provide(NodeThreads.layer()), Scope.provide(scope))
    )
    const calls = {
      noop: pool.noop,
      spin: pool.spin,
      echo: (bytes: Bytes) => pool.echo({ bytes }),
      move: (bytes: Bytes) => pool.move({ bytes })
    }
    return effectSession(benchCase, Context.empty(), calls, () => Effect.runPromise(Scope.close(scope, Exit.void)))
  }
}

const withPromises: Subject<ThreadsCase> = {
  name: "fiberhost-promise",
  role: "ours",
  open: async (benchCase) => {
    const pool = await NodeHostPool.open(Tasks, options(benchCase))
    const calls = {
      noop: pool.noop,
      spin: pool.spin,
      echo: (bytes: Bytes) => pool.echo({ bytes }),
      move: (bytes: Bytes) => pool.move({ bytes })
    }
    return promiseSession(benchCase, calls, async () => pool[Symbol.asyncDispose]())
  }
}

export const fiberhost: ReadonlyArray<Subject<ThreadsCase>> = [withFibers, withPromises]
