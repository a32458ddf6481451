// Calls of a plugin's functions: what one costs, by our host and by the other hosts of the same guest, next to what the guest itself
// takes. Async ones with host functions that have their answer at once, and as `-pending` with such that answer in a microtask.
import type { AsyncCall, CallsCase, SyncCall } from "./calls/Calls.ts"
import { fiberhost } from "./calls/fiberhost.ts"
import { floor } from "./calls/floor.ts"
import { guestThreads } from "./calls/guestThreads.ts"
import { extism } from "./calls/peers/extism.ts"
import { crateVersion, fpBindgen } from "./calls/peers/fpBindgen.ts"
import { summary } from "./calls/Required.ts"
import type { Bench } from "./harness/Bench.ts"
import { versionsOf } from "./harness/Origin.ts"

const syncCalls: ReadonlyArray<SyncCall> = ["u32", "string", "struct", "nested", "f64x1000", "bytes64KiB"]
const threadCalls: ReadonlyArray<SyncCall> = ["string", "struct"]
const asyncCalls: ReadonlyArray<AsyncCall> = ["async", "async1", "fetch", "join10"]
const pendingCalls: ReadonlyArray<AsyncCall> = ["async1", "fetch", "join10"]

/** A call takes little more than the clock does. */
const every = 32

const inFlight = (name: string, call: CallsCase["call"], pending = false): ReadonlyArray<CallsCase> =>
  [1, 64].map((calls) => ({ name: `${name}/${calls}`, inFlight: calls, every, call, pending }))

export const bench: Bench<CallsCase> = {
  name: "calls",
  cases: [
    ...syncCalls.map((call) => ({ name: call, inFlight: 1, every, call, pending: false })),
    // Answered when they return in the application's thread: 64 in flight are for the guest on another.
    ...threadCalls.map((call) => ({ name: `${call}/64`, inFlight: 64, every, call, pending: false })),
    ...asyncCalls.flatMap((call) => inFlight(call, call)),
    ...pendingCalls.flatMap((call) => inFlight(`${call}-pending`, call, true)),
    { name: "instantiate", inFlight: 1, every: 1, call: "instantiate", pending: false }
  ],
  subjects: [...fiberhost, ...guestThreads, fpBindgen, ...extism, floor],
  summary,
  versions: { ...versionsOf("@msgpack/msgpack", "@extism/extism"), "fp-bindgen": crateVersion() },
  mixed: ["fiberhost", "fiberhost-sync", "fp-bindgen", "floor"],
  quick: {
    cases: ["struct", "async1/1", "fetch/64", "join10/64"],
    subjects: ["fp-bindgen", "extism", "extism-worker", "floor"]
  }
}
