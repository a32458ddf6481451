import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { compact, escape, whole } from "../../bench/report/Markup.ts"
import { overview } from "../../bench/report/Overview.ts"
import { page } from "../../bench/report/Page.ts"
import * as Results from "../../bench/report/Results.ts"

const file = (name: string) => fileURLToPath(new URL(`../fixtures/results/${name}.json`, import.meta.url))
// As a shell's glob gives them.
const results = Results.read(["calls", "calls.origin", "scale", "scale.origin"].map(file))

const loadsNothing = (text: string) => {
  for (const [reference] of text.matchAll(/(?:src|href|srcset|action|data)\s*=\s*"[^"]*"/g))
    assert.match(reference, /^href="#/)
  assert.notMatch(text, /url\(|@import|<script|<link|<iframe|<img|<object/)
  assert.deepStrictEqual(text.replaceAll('xmlns="http://www.w3.org/2000/svg"', "").match(/https?:|"\/\//), null)
}

describe("the report's page", () => {
  const html = page(results)

  it("has every row, with all of its figures", () => {
    const lines = Array.from(html.matchAll(/<tr>(.*)<\/tr>/g), ([, cells]) =>
      Array.from(cells!.matchAll(/<td>(.*?)<\/td>/g), ([, text]) => text)
    )
    for (const { rows } of results) {
      for (const row of rows) {
        const line = lines.find(([name, subject]) => name === row.case && subject === escape(row.subject))
        assert(line !== undefined, `${row.case} of ${row.subject} is missing`)
        for (const figure of [row.opsPerSec, row.p50us, row.p99us, row.count]) {
          if (typeof figure === "number") assert.include(line, whole(figure))
        }
        if (row.error !== undefined) assert.include(line, row.error)
      }
    }
    assert.include(html, "65 KiB")
  })

  it("draws every rate, and says it to who does not see", () => {
    const drawn = Array.from(html.matchAll(/<desc [^>]*>(.*?)<\/desc>/g), ([, text]) => text).join("\n")
    for (const { opsPerSec } of results.flatMap(({ rows }) => rows)) {
      if (typeof opsPerSec === "number") assert.include(drawn, compact(opsPerSec))
    }
    assert.include(drawn, "ours is 4.0×")
  })

  it("says where each benchmark was measured", () => {
    for (const { origin } of results) {
      for (const text of [origin.machine, origin.platform, origin.date, origin.commit, origin.effort, origin.notes]) {
        assert.include(html, text)
      }
    }
    assert.include(html, "a-peer 1.2.3")
  })

  it("loads nothing, and has two colour schemes", () => {
    loadsNothing(html)
    assert.include(html, "prefers-color-scheme:dark")
  })
})

describe("the README's picture", () => {
  const svg = overview(results)

  it("shows ours beside each peer, and where they were measured", () => {
    for (const text of [
      "fiberhost",
      "peer &lt;b&gt;&amp;",
      "by-hand",
      "800K",
      "200K",
      "2026-01-02",
      "0123abc",
      "a-peer 1.2.3"
    ]) {
      assert.include(svg, text)
    }
  })

  it("loads nothing, and has two colour schemes", () => {
    loadsNothing(svg)
    assert.include(svg, "prefers-color-scheme:dark")
  })
})

describe("results", () => {
  it("are refused without where they were measured", () => {
    assert.throws(() => Results.read([file("orphan")]), /orphan\.origin\.json beside it/)
  })
})
