// A guest for each request: whatever a request does to its guest, the next one begins afresh. The module is compiled
// once; an instance takes a millisecond or two and ends with the request, also when the client goes away.
//
//   node examples/per-request/main.ts      then: curl --data-binary @README.md http://127.0.0.1:PORT/
import { createHash } from "node:crypto"
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { NodePluginModule } from "@fiberhost/node"
import { GuestExecutor, GuestLog } from "@fiberhost/wasm-host"
import { Config, Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Imports, NotFound, Reporter } from "../report/contract.ts"

/** The host functions of one request: its plugin sees the request's body and nothing else. */
const hostOf = (body: Uint8Array) =>
  Imports.toLayer({
    read_file: ({ path }) => (path === "body" ? Effect.succeed(body) : Effect.fail(new NotFound({ path }))),
    sha256: ({ bytes }) => Effect.succeed(createHash("sha256").update(bytes).digest("hex")),
    log: GuestLog.debug
  })

const Routes = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const module = yield* NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url))
    yield* router.add("POST", "/", (request) =>
      Effect.gen(function* () {
        const body = new Uint8Array(yield* request.arrayBuffer)
        const report = yield* Effect.gen(function* () {
          const reporter = yield* Reporter.make({ module })
          return yield* reporter.report({ paths: ["body"] })
        }).pipe(Effect.provide(hostOf(body)), Effect.scoped)
        return yield* HttpServerResponse.json(report.files[0])
      })
    )
  })
)

const Server = Layer.unwrap(
  Effect.map(Config.Port("PORT").pipe(Config.withDefault(0)), (port) =>
    NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })
  )
)

HttpRouter.serve(Routes).pipe(Layer.provide([Server, GuestExecutor.layer()]), Layer.launch, NodeRuntime.runMain)
