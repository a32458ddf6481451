import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { compile } from "../fixtures/wat.ts"

const fileOf = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))

const run = (example: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [fileOf(`${example}/main.ts`), ...args], {
    encoding: "utf8"
  })
  return { status, stderr, stdout, lines: stdout.trimEnd().split("\n") }
}

/** Where a server listens, once it says so; fails when it ends before. */
const addressOf = (server: ChildProcessByStdio<Writable | null, Readable, Readable | null>): Effect.Effect<string> =>
  Effect.promise(
    () =>
      new Promise((resolve, reject) => {
        let printed = ""
        server.once("exit", (code) => reject(new Error(`it ended with ${code}`)))
        server.stdout.on("data", (chunk) => {
          printed += chunk
          const found = /Listening on (http:\S+)/.exec(printed)
          if (found !== null) resolve(found[1]!)
        })
      })
  )

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "fiberhost-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const Json = Schema.fromJsonString(
  Schema.Struct({
    files: Schema.Array(
      Schema.Struct({
        path: Schema.String,
        bytes: Schema.Int,
        lines: Schema.Int,
        words: Schema.Int,
        sha256: Schema.String
      })
    ),
    failed: Schema.Array(Schema.Struct({ path: Schema.String, error: Schema.String })),
    totals: Schema.Struct({ files: Schema.Int, failed: Schema.Int, words: Schema.Int })
  })
)

describe("examples/report", () => {
  // One program, three choices of layers: whoever has threads, the report is the same.
  for (const threads of ["none", "guest", "all"]) {
    it.live(
      `with threads for ${threads}, reports on real files: counts, hashes, and what could not be read`,
      () =>
        Effect.gen(function* () {
          const folder = yield* temporary
          const contents = new Map<string, Uint8Array>([
            ["empty", new Uint8Array(0)],
            ["a text.txt", new TextEncoder().encode("one two\nthree\n")],
            ["binary", Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) & 0xff)],
            ["naïve.txt", new TextEncoder().encode("naïve café\n")]
          ])
          for (const [name, content] of contents) writeFileSync(join(folder, name), content)
          mkdirSync(join(folder, "deep", "node_modules"), { recursive: true })
          writeFileSync(join(folder, "deep", "node_modules", "skipped"), "x")
          writeFileSync(join(folder, "deep", "many"), "")
          const large = join(folder, "large")
          writeFileSync(large, "")
          truncateSync(large, 17_000_000)
          const missing = join(folder, "missing")

          const { status, stdout } = run("report", "--threads", threads, "--json", folder, missing)
          assert.strictEqual(status, 0)
          const report = yield* Schema.decodeEffect(Json)(stdout)
          assert.deepStrictEqual(
            report.files.map(({ path }) => path),
            ["a text.txt", "binary", "deep/many", "empty", "naïve.txt"].map((name) => join(folder, name))
          )
          for (const { bytes, path, sha256 } of report.files) {
            const content = readFileSync(path)
            assert.strictEqual(bytes, content.byteLength)
            assert.strictEqual(sha256, createHash("sha256").update(content).digest("hex"))
          }
          const [text] = report.files
          assert.deepStrictEqual([text?.lines, text?.words], [2, 3])
          assert.deepStrictEqual(report.failed, [
            { path: large, error: "a plugin takes values up to 16 MB" },
            { path: missing, error: "NotFound" }
          ])
          assert.strictEqual(report.totals.failed, 2)
        }),
      60_000
    )
  }

  it("prints a table for people, and what is wrong when nothing can be reported", () => {
    const { lines, status } = run("report", fileOf("report/contract.ts"))
    assert.strictEqual(status, 0)
    assert.match(lines[0]!, /bytes +lines +words +sha256 +file/)
    assert.match(lines.at(-1)!, /^most frequent words: \w+ \(\d+\)/)
    assert.strictEqual(run("report").status, 1)
  })

  it("tells of what was named and is no file", () => {
    const { status, stdout } = run("report", "--json", "/dev/zero", fileOf("report/contract.ts"))
    assert.strictEqual(status, 0)
    assert.deepStrictEqual(Schema.decodeSync(Json)(stdout).failed, [{ path: "/dev/zero", error: "it is no file" }])
  })

  it.live("an empty folder is told about, without a trace", () =>
    Effect.gen(function* () {
      const { status, stderr } = run("report", yield* temporary)
      assert.strictEqual(status, 1)
      assert.strictEqual(stderr.trim(), "nothing to report on: no paths were given")
    })
  )
})

describe("examples/per-request", () => {
  it.live(
    "serves each request with a guest of its own, many at a time",
    () =>
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn(process.execPath, [fileOf("per-request/main.ts")], { stdio: ["ignore", "pipe", "inherit"] })
          ),
          (server) =>
            Effect.promise(
              () =>
                new Promise((resolve) => {
                  server.once("exit", resolve)
                  server.kill("SIGTERM")
                })
            )
        )
        const address = yield* addressOf(server)
        const answers = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, i) => "word ".repeat(i)),
          (body) => Effect.promise(async () => (await fetch(address, { method: "POST", body })).json()),
          { concurrency: 16 }
        )
        const Words = Schema.Array(Schema.Struct({ words: Schema.Int }))
        const words = yield* Schema.decodeUnknownEffect(Words)(answers)
        assert.deepStrictEqual(
          words.map(({ words }) => words),
          Array.from({ length: 50 }, (_, i) => i)
        )
      }),
    60_000
  )
})

describe("examples/per-tenant", () => {
  it("keeps a guest while it is used, and closes it when it is idle", () => {
    const { lines, status } = run("per-tenant")
    assert.strictEqual(status, 0)
    assert.deepStrictEqual(lines.slice(0, 5), [
      "ada: opened",
      "ada: 5 words in 1 files, 1 not found",
      "grace: opened",
      "grace: 7 words in 1 files, 0 not found",
      "grace: 9 words in 2 files, 0 not found"
    ])
    assert.sameMembers(lines.slice(5, 7), ["ada: closed", "grace: closed"])
    assert.deepStrictEqual(lines.slice(7), ["ada: opened", "ada: 5 words in 1 files, 0 not found", "ada: closed"])
  })
})

describe("examples/pool", () => {
  it("runs functions on threads, for Effects and for promises", () => {
    const { lines, status } = run("pool")
    assert.strictEqual(status, 0)
    assert.deepStrictEqual(lines, [
      "primes below 10, 1000 and 100000: 4, 168, 9592",
      "typed: NotANumber",
      "from 900000 on: 900001, 900007, 900019",
      "by promise: 15",
      "by iterator: 101"
    ])
  })
})

describe("examples/traced", () => {
  it("makes one trace of what the application, its plugin and a thread of its pool do", () => {
    const { lines, status } = run("traced")
    assert.strictEqual(status, 0)
    assert.include(lines, "    entry (application)")
    assert.deepStrictEqual(
      lines.filter((line) => !/entry|\.log/.test(line)),
      [
        "request (application)",
        "  report/Reporter.report (application)",
        "    report/Reporter.read_file (application)",
        "    report/Reporter.sha256 (application)",
        "      hash (host thread)"
      ]
    )
  })
})

describe("examples/blocking", () => {
  it("tasks of one executor answer synchronous code of another thread and fibers, in the order in which they are done", () => {
    const { lines, status } = run("blocking")
    assert.strictEqual(status, 0)
    assert.deepStrictEqual(lines, [
      "sync thread: ready",
      "fiber: hello ada",
      "sync thread: 40 + 2 = 42",
      "sync thread: TimedOut",
      "fiber: 7 is even: false"
    ])
  })
})

describe("examples/http-server", () => {
  it.live(
    "calls a guest for each request, streams what a thread computes, and closes when it is told to",
    () =>
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(process.execPath, [fileOf("http-server/main.ts")])),
          (server) => Effect.sync(() => server.kill("SIGKILL"))
        )
        let printed = ""
        server.stdout.on("data", (chunk) => {
          printed += chunk
        })
        const address = yield* addressOf(server)
        const answers = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, i) => "word ".repeat(i)),
          (body) => Effect.promise(async () => (await fetch(address, { method: "POST", body })).json()),
          { concurrency: 8 }
        )
        const Words = Schema.Array(Schema.Struct({ words: Schema.Int }))
        const words = yield* Schema.decodeUnknownEffect(Words)(answers)
        assert.deepStrictEqual(
          words.map(({ words }) => words),
          Array.from({ length: 20 }, (_, i) => i)
        )
        const some = yield* Effect.promise(async () => (await fetch(`${address}/primes?from=999900`)).text())
        assert.deepStrictEqual(some.trim().split("\n").slice(0, 2), ["999907", "999917"])
        // A client that goes away has its call interrupted: the only thread, which has one call at a time, answers the next.
        yield* Effect.promise(async () => {
          const client = new AbortController()
          const { body } = await fetch(`${address}/primes?from=2`, { signal: client.signal })
          await body!.getReader().read()
          client.abort()
        })
        const again = yield* Effect.promise(async () => (await fetch(`${address}/primes?from=999900`)).text())
        assert.strictEqual(again, some)
        assert.strictEqual(yield* Effect.promise(async () => (await fetch(address)).status), 404)
        assert.strictEqual(yield* Effect.promise(async () => (await fetch(`${address}/primes?from=x`)).status), 400)
        assert.strictEqual(yield* Effect.promise(async () => (await fetch(`${address}//`)).status), 400)

        const ended = new Promise((resolve) => server.once("exit", resolve))
        server.kill("SIGTERM")
        assert.strictEqual(yield* Effect.promise(() => ended), 0)
        assert.match(printed, /closed\n$/)
      }),
    60_000
  )
})

describe("examples/instances", () => {
  it("spreads calls over eight instances", () => {
    const { lines } = run("instances")
    assert.deepStrictEqual(lines, ["calls in each instance: 8 8 8 8 8 8 8 8", "64 reports, 256 words"])
  })
})

describe("examples/supervised", () => {
  it("a guest that does not return, and one that traps, are replaced, and the next call is answered", () => {
    const { lines, status } = run("supervised")
    assert.strictEqual(status, 0)
    assert.deepStrictEqual(
      lines.filter((line) => line.startsWith("answered")),
      ["answered 42", "answered 44", "answered 46"]
    )
    assert.match(lines[1]!, /spin: no answer by the deadline, while the guest had it/)
    assert.isTrue(lines.some((line) => /trap: the guest trapped/.test(line)))
    for (const tag of ["Terminated", "Died", "Replaced"]) assert.include(lines, `  health: ${tag}`)
  })

  it.effect("its plugin is built from the text beside it", () =>
    Effect.gen(function* () {
      const built = yield* compile(readFileSync(fileOf("supervised/careless.wat"), "utf8"))
      assert.isTrue(Buffer.compare(built, readFileSync(fileOf("supervised/careless.wasm"))) === 0)
    })
  )
})

describe("examples/two-plugins", () => {
  it("each plugin logs through its own contract", () => {
    const { lines } = run("two-plugins")
    assert.deepStrictEqual(lines, ["reporter: reporting on 1 files", "greeter, level 2: hello"])
  })
  it.live("its guest was built from the text beside it", () =>
    Effect.gen(function* () {
      const built = yield* compile(readFileSync(fileOf("two-plugins/greeter.wat"), "utf8"))
      assert.isTrue(Buffer.compare(built, readFileSync(fileOf("two-plugins/greeter.wasm"))) === 0)
    })
  )
})
