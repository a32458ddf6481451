// A pool of threads by itself: from an Effect program, and from one without Effect.
import { NodeRuntime } from "@effect/platform-node"
import { NodeHostPool } from "@fiberhost/node"
import { Console, Effect, Stream } from "effect"
import { Primes } from "./primes.ts"

const options = {
  program: new URL("./primes.worker.ts", import.meta.url),
  initial: { largest: 1_000_000 },
  size: 2,
  // These functions compute for long, so each thread has one at a time, and what waits goes to the first that is free.
  concurrency: 1
}

const program = Effect.gen(function* () {
  const primes = yield* Primes
  const counts = yield* Effect.forEach(["10", "1000", "100000"], (below) => primes.count({ below }), {
    concurrency: "unbounded"
  })
  yield* Console.log(`primes below 10, 1000 and 100000: ${counts.join(", ")}`)
  const error = yield* Effect.flip(primes.count({ below: "many" }))
  yield* Console.log(`typed: ${error._tag}`)
  // The thread computes no further than the reader reads.
  const three = yield* Stream.runCollect(Stream.take(primes.list({ from: 900_000 }), 3))
  yield* Console.log(`from 900000 on: ${three.join(", ")}`)
})

const withoutEffect = async () => {
  await using primes = await NodeHostPool.open(Primes, options)
  console.log(`by promise: ${await primes.count({ below: "50" })}`)
  for await (const prime of primes.list({ from: 100 })) {
    console.log(`by iterator: ${prime}`)
    break
  }
}

program.pipe(
  Effect.provide(NodeHostPool.layer(Primes, options)),
  Effect.andThen(Effect.promise(withoutEffect)),
  NodeRuntime.runMain
)
