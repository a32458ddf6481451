import { assert, describe, it } from "@effect/vitest"
import { Backoff } from "@fiberhost/core"

/** For how many of so many times in a row it waits, in vain each time. */
const waitsInVain = (backoff: Backoff.Backoff, times: number): number => {
  let waits = 0
  for (let i = 0; i < times; i++) {
    if (backoff.next(false) === 0) continue
    waits++
    backoff.miss()
  }
  return waits
}

describe("Backoff", () => {
  it("waits each time while that is not in vain, and once again after a miss", () => {
    const backoff = new Backoff.Backoff(0.1)
    for (let i = 0; i < 10; i++) {
      assert.strictEqual(backoff.next(false), 0.1)
      backoff.hit()
    }
    backoff.next(false)
    backoff.miss()
    assert.strictEqual(backoff.next(false), 0.1)
  })

  it("waits ever more rarely when it is always in vain, and each time again when it was not", () => {
    const backoff = new Backoff.Backoff(0.1)
    assert.isAtLeast(waitsInVain(backoff, 8), 3)
    waitsInVain(backoff, 200)
    assert.strictEqual(waitsInVain(backoff, 630), 10)
    while (backoff.next(false) === 0);
    backoff.hit()
    assert.strictEqual(backoff.next(false), 0.1)
  })

  it("waits for a millisecond for somebody who must be woken first, but not where it does not wait at all", () => {
    assert.strictEqual(new Backoff.Backoff(0.1).next(true), 1)
    assert.strictEqual(new Backoff.Backoff(0).next(true), 0)
  })
})
