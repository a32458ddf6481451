import { globSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"

const readme = new URL("../../README.md", import.meta.url)

/** A program of the README is a file of the repository, and the tests of the examples run it. */
const blocks = /<!-- file: (?<file>\S+) -->\n```ts\n(?<program>[\s\S]*?)```/g

describe("README", () => {
  it("shows its programs as they are run; UPDATE_DOCS=1 copies them", () => {
    const text = readFileSync(readme, "utf8")
    const current = text.replace(blocks, (block, file: string, program: string) =>
      block.replace(
        `\`\`\`ts\n${program}`,
        () => `\`\`\`ts\n${readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")}`
      )
    )
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(readme, current)
    assert.strictEqual(readFileSync(readme, "utf8"), current)
    assert.strictEqual(Array.from(text.matchAll(blocks)).length, 2)
  })
})

describe("the README of a package", () => {
  it("links to nothing beside it: it is published alone", () => {
    const files = globSync("packages/*/README.md", { cwd: new URL("../../", import.meta.url) })
    assert.isNotEmpty(files)
    for (const file of files) {
      const links = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8").match(/\]\((?!https:)[^)]*\)/g)
      assert.isNull(links, file)
    }
  })
})
