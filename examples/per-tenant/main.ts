// A guest for each tenant: made for the first call, kept while it is used, closed when it has been idle. Tenants share
// code and nothing else, and a guest that traps is replaced for the next call of its tenant.
import { NodeRuntime } from "@effect/platform-node"
import { NodePluginModule } from "@fiberhost/node"
import { GuestExecutor, GuestLog } from "@fiberhost/wasm-host"
import { Console, Effect, RcMap } from "effect"
import { Imports, NotFound, Reporter } from "../report/contract.ts"

const texts = new Map([
  ["ada/notes", "the engine weaves algebraic patterns"],
  ["grace/log", "first actual case of bug being found"],
  ["grace/todo", "find it"]
])

/** What a tenant's guest may see of the host: the tenant's own texts. */
const hostOf = (tenant: string) =>
  Imports.toLayer({
    read_file: ({ path }) => {
      const text = texts.get(`${tenant}/${path}`)
      return text === undefined ? Effect.fail(new NotFound({ path })) : Effect.succeed(new TextEncoder().encode(text))
    },
    sha256: () => Effect.succeed(""),
    log: GuestLog.debug
  })

const program = Effect.gen(function* () {
  const module = yield* NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url))
  const guests = yield* RcMap.make({
    lookup: (tenant: string) =>
      Effect.gen(function* () {
        yield* Effect.acquireRelease(Console.log(`${tenant}: opened`), () => Console.log(`${tenant}: closed`))
        return yield* Effect.provide(Reporter.make({ module }), hostOf(tenant))
      }),
    idleTimeToLive: "200 millis"
  })
  const words = (tenant: string, ...paths: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const reporter = yield* RcMap.get(guests, tenant)
      const { totals } = yield* reporter.report({ paths })
      yield* Console.log(`${tenant}: ${totals.words} words in ${totals.files} files, ${totals.failed} not found`)
    }).pipe(Effect.scoped)

  yield* words("ada", "notes", "todo")
  yield* words("grace", "log")
  yield* words("grace", "log", "todo")
  yield* Effect.sleep("500 millis")
  yield* words("ada", "notes")
})

program.pipe(Effect.scoped, Effect.provide(GuestExecutor.layer()), NodeRuntime.runMain)
