import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { queryObjects } from "node:v8"
import { MessagePort } from "node:worker_threads"
import { assert, describe, it } from "@effect/vitest"
import { Thread } from "@fiberhost/core"
import { NodeHostPool } from "@fiberhost/node"
import { Effect, Exit, Fiber, Layer } from "effect"
import { eventually } from "../fixtures/eventually.ts"
import { Work } from "../fixtures/work.ts"

const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url)

describe("a pool whose threads cannot begin", () => {
  const failsWith = (options: NodeHostPool.Options<void>) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(NodeHostPool.layer(Work, options))))
      assert.instanceOf(error, Thread.ThreadError)
      assert.strictEqual(error.reason._tag, "StartFailed")
      assert.match(error.message, /^suite\/Work#0 could not start: /)
      return error.message
    })

  const cases: ReadonlyArray<readonly [string, RegExp]> = [
    ["throws", /Error: thrown by the module.*\(exit code 1\)/],
    ["exits", /its program ended \(exit code 4\)/],
    ["serves-nothing", /its program ended \(exit code 0\)\. It serves no pool: .*NodeHostRunner\.run/],
    ["another-contract", /This is the program of a thread of pool "test\/Crew": pool "suite\/Work" has started it/],
    ["older-contract", /function 2 of the pool is die\(message\), and here die\(text\)/],
    ["layer-fails", /no database/],
    ["layer-dies", /TypeError: a bug in the layer/],
    ["layer-dies-of-half-a-character", /^suite\/Work#0 could not start: Error: half \ufffd/],
    ["missing-handler", /no handler for double, nothing/]
  ]
  for (const [fault, message] of cases) {
    it.live(`fails with a ThreadError that says what happened: ${fault}`, () =>
      Effect.gen(function* () {
        const program = fixture("work.faulty.worker.ts")
        assert.match(yield* failsWith({ program, size: 1, env: { FAULT: fault } }), message)
      })
    )
  }

  it.live("fails with a ThreadError that says that there is no such module, or option", () =>
    Effect.gen(function* () {
      assert.match(yield* failsWith({ program: fixture("no.such.worker.ts"), size: 1 }), /no\.such\.worker\.ts/)
      const program = fixture("work.worker.ts")
      assert.match(yield* failsWith({ program, size: 1, execArgv: ["--no-such-option"] }), /no-such-option/)
    })
  )

  it.live("leaves no port behind when there was no thread at all", () =>
    Effect.gen(function* () {
      const ports = () => queryObjects(MessagePort, { format: "count" })
      const before = ports()
      const program = fixture("work.worker.ts")
      for (let i = 0; i < 10; i++) yield* failsWith({ program, size: 1, execArgv: ["--no-such-option"] })
      yield* eventually(() => assert.isAtMost(ports(), before))
    })
  )

  it.live("one that is interrupted while they begin ends them", () =>
    Effect.gen(function* () {
      const layer = NodeHostPool.layer(Work, { program: fixture("work.worker.ts"), size: 2 })
      const build = yield* Effect.forkChild(Effect.scoped(Layer.build(layer)), { startImmediately: true })
      yield* Fiber.interrupt(build)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(build)))
      assert.notInclude(process.getActiveResourcesInfo(), "MessagePort")
    })
  )

  for (const when of ["before", "while"]) {
    it.live(`one that is opened is given up when its signal aborts ${when} they begin`, () =>
      Effect.promise(async () => {
        const giving = new AbortController()
        const reason = new Error("it takes too long")
        if (when === "before") giving.abort(reason)
        const program = fixture("work.faulty.worker.ts")
        const env = { ...process.env, FAULT: "never-begins" }
        const opened = NodeHostPool.open(Work, { program, env, size: 2, grace: 0, signal: giving.signal })
        setImmediate(() => giving.abort(reason))
        assert.strictEqual(await opened.catch((error) => error), reason)
        assert.notInclude(process.getActiveResourcesInfo(), "MessagePort")
      })
    )
  }

  it.live("its program says what it is when somebody runs it in the main thread", () =>
    Effect.gen(function* () {
      const run = promisify(execFile)(process.execPath, [fileURLToPath(fixture("work.worker.ts"))])
      const { code, stderr } = yield* Effect.promise(() =>
        run.then(
          () => ({ code: 0, stderr: "" }),
          (error) => error
        )
      )
      assert.strictEqual(code, 1)
      assert.match(stderr, /This is the program of a thread of pool "suite\/Work": nobody that owns it has started it/)
    })
  )

  it.live("a program ends by itself when it has closed its pools, whatever their functions left behind", () =>
    Effect.gen(function* () {
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, [fileURLToPath(fixture("work.program.ts"))])
      )
      assert.strictEqual(stdout, "hello\nhello\n")
    })
  )
})
