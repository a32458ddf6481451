import { assert, describe, it } from "@effect/vitest"
import { Line } from "@fiberhost/core"

class Guest implements Line.Member<Guest> {
  previous: Guest | undefined = undefined
  next: Guest | undefined = undefined
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

const lineOf = (names: string) => {
  const line = new Line.Line<Guest>()
  const members = Array.from(names, (name) => line.push(new Guest(name)))
  return { line, members }
}

const names = (line: Line.Line<Guest>) => line.members.map(({ name }) => name).join("")

describe("Line", () => {
  it("keeps its members in the order in which they came", () => {
    const { line } = lineOf("abc")
    assert.strictEqual(names(line), "abc")
    assert.strictEqual(line.first?.name, "a")
    assert.strictEqual(line.size, 3)
  })

  it.each([
    ["front", 0, "bcd"],
    ["middle", 1, "acd"],
    ["end", 3, "abc"]
  ] as const)("a member leaves from the %s", (_, index, left) => {
    const { line, members } = lineOf("abcd")
    line.remove(members[index]!)
    assert.strictEqual(names(line), left)
    assert.strictEqual(line.size, 3)
    line.push(members[index]!)
    assert.strictEqual(names(line), left + members[index]!.name)
  })

  it.each(["", "bc"])("who was there before comes before all others, of which there are '%s'", (others) => {
    const { line } = lineOf(others)
    line.unshift(new Guest("a"))
    assert.strictEqual(names(line), `a${others}`)
    line.push(new Guest("z"))
    assert.strictEqual(names(line), `a${others}z`)
    assert.strictEqual(line.size, others.length + 2)
  })

  it("who has left keeps no neighbours", () => {
    const { line, members } = lineOf("abc")
    line.remove(members[1]!)
    assert.isUndefined(members[1]!.previous)
    assert.isUndefined(members[1]!.next)
  })

  it("is emptied from its front", () => {
    const { line } = lineOf("ab")
    assert.deepStrictEqual([line.shift()?.name, line.shift()?.name, line.shift()], ["a", "b", undefined])
    assert.strictEqual(line.size, 0)
  })

  it("members may leave while a copy of them is read", () => {
    const { line } = lineOf("abc")
    for (const member of line.members) line.remove(member)
    assert.strictEqual(line.size, 0)
    assert.isUndefined(line.first)
  })
})
