import { spawnSync } from "node:child_process"
import { appendFileSync, cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const guests = fileURLToPath(new URL("../../guests", import.meta.url))

const check = (folder: string) =>
  spawnSync(process.execPath, [join(folder, "build.ts"), "--check"], { encoding: "utf8" })

describe("guests/build.ts --check", () => {
  it("says that the committed modules were built from the committed sources", () => {
    const { status, stderr } = check(guests)
    assert.strictEqual(status, 0, stderr)
  })

  it("names the guest whose source has changed since", () => {
    const copy = mkdtempSync(join(tmpdir(), "guests-"))
    try {
      cpSync(guests, copy, { recursive: true, filter: (source) => !/[/\\](target|bindings)$/.test(source) })
      appendFileSync(join(copy, "report", "src", "lib.rs"), "\n// changed\n")
      const { status, stderr, stdout } = check(copy)
      assert.strictEqual(status, 1)
      assert.match(stdout + stderr, /report/)
    } finally {
      rmSync(copy, { recursive: true })
    }
  })
})
