import { assert, describe, it } from "@effect/vitest"
import { IdTable } from "@fiberhost/core"

describe("IdTable", () => {
  it("knows what was set, by id", () => {
    const table = new IdTable.IdTable<string>()
    table.set(7, "seven")
    table.set(2, "two")
    assert.strictEqual(table.get(7), "seven")
    assert.isUndefined(table.get(3))
    assert.deepStrictEqual(table.members, ["two", "seven"])
    assert.strictEqual(table.size, 2)
  })

  it("an id that is set twice counts once", () => {
    const table = new IdTable.IdTable<string>()
    table.set(1, "one")
    table.set(1, "another")
    assert.strictEqual(table.size, 1)
    assert.deepStrictEqual(table.members, ["another"])
  })

  it("an id that is free, or was never used, can be deleted", () => {
    const table = new IdTable.IdTable<string>()
    table.set(1, "one")
    table.delete(1)
    table.delete(1)
    table.delete(99)
    assert.strictEqual(table.size, 0)
    assert.isUndefined(table.get(1))
    table.set(1, "again")
    assert.deepStrictEqual(table.members, ["again"])
  })
})
