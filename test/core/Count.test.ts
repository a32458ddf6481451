import { assert, describe, it } from "@effect/vitest"
import { Count } from "@fiberhost/core"

const refusal = (count: () => number): string => {
  try {
    return assert.fail(`${count()} was taken`)
  } catch (error) {
    assert.instanceOf(error, RangeError)
    return error.message
  }
}

describe("Count", () => {
  it("is the integer that was given, within its bounds", () => {
    assert.strictEqual(Count.finite("threads", 1, 1), 1)
    assert.strictEqual(Count.finite("threads", 2 ** 40, 1), 2 ** 40)
    assert.strictEqual(Count.finite("concurrency", 7, 1, 7), 7)
    assert.strictEqual(Count.orInfinity("capacity", 0, 0), 0)
    assert.strictEqual(Count.orInfinity("capacity", Infinity, 0), Infinity)
  })

  it("refuses what is none, and says which option, what it was and what it must be", () => {
    for (const value of [0, -1, 1.5, Number.NaN, Infinity, -Infinity, "1" as unknown as number]) {
      const message = `threads is ${value}: it must be an integer of at least 1`
      assert.strictEqual(
        refusal(() => Count.finite("threads", value, 1)),
        message
      )
      if (value === Infinity) continue
      assert.strictEqual(
        refusal(() => Count.orInfinity("threads", value, 1)),
        `${message}, or Infinity`
      )
    }
    assert.strictEqual(
      refusal(() => Count.finite("concurrency", 8, 1, 7)),
      "concurrency is 8: it must be an integer of 1 to 7"
    )
  })
})
