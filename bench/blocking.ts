// Calls of synchronous code, which blocks its thread until another has answered: how many a second, and how long each takes.
import { type BlockingCase, echoCase } from "./blocking/Calls.ts"
import { fiberhost } from "./blocking/fiberhost.ts"
import { byHand } from "./blocking/peers/byHand.ts"
import { synckit } from "./blocking/peers/synckit.ts"
import type { Bench } from "./harness/Bench.ts"
import { versionsOf } from "./harness/Origin.ts"

const cases = [1, 64].flatMap((outstanding) => [
  echoCase("16B", 16, outstanding),
  echoCase("1KiB", 1024, outstanding),
  echoCase("64KiB", 64 * 1024, outstanding)
])

export const bench: Bench<BlockingCase> = {
  name: "blocking",
  cases,
  subjects: [fiberhost, byHand, synckit],
  versions: versionsOf("synckit"),
  quick: { cases: cases.map(({ name }) => name), subjects: ["by-hand", "synckit"] }
}
