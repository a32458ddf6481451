// What each thread of the pool runs: the handlers, as a layer.
import { NodeHostRunner } from "@fiberhost/node"
import { Effect, Stream } from "effect"
import { NotANumber, Primes } from "./primes.ts"

const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
}

const handlers = Effect.gen(function* () {
  const { largest } = yield* Primes.initial
  return {
    count: ({ below }: { readonly below: string }) => {
      const end = Number(below)
      if (Number.isNaN(end)) return Effect.fail(new NotANumber({ text: below }))
      return Effect.sync(() => {
        let count = 0
        for (let n = 2; n < Math.min(end, largest); n++) if (isPrime(n)) count++
        return count
      })
    },
    list: ({ from }: { readonly from: number }) => Stream.filter(Stream.range(from, largest), isPrime)
  }
})

NodeHostRunner.run(Primes, Primes.toLayer(handlers))
