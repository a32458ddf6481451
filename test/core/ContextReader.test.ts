import { assert, describe, it } from "@effect/vitest"
import { ContextReader } from "@fiberhost/core"
import { Context } from "effect"

const Limit = Context.Reference<number>("test/Limit", { defaultValue: () => 100 })
const Other = Context.Reference<string>("test/Other", { defaultValue: () => "other" })

describe("ContextReader", () => {
  it("reads what each context has, in whatever order they come", () => {
    const limitOf = ContextReader.make(Limit)
    const unset = Context.make(Other, "set") as Context.Context<never>
    const five = Context.add(unset, Limit, 5) as Context.Context<never>
    const six = Context.add(unset, Limit, 6) as Context.Context<never>
    const read = [unset, unset, five, unset, six, five, five, Context.empty(), unset].map(limitOf)
    assert.deepStrictEqual(read, [100, 100, 5, 100, 6, 5, 5, 100, 100])
  })

  it("a context that has the default is like one that has nothing", () => {
    const limitOf = ContextReader.make(Limit)
    const usual = Context.make(Limit, 100) as Context.Context<never>
    assert.deepStrictEqual([usual, Context.make(Limit, 7) as Context.Context<never>, usual].map(limitOf), [100, 7, 100])
  })
})
