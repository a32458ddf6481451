// An ordinary server of node:http, in promises and callbacks, with a plugin for each request and a pool of threads. The
// runtime is made where the program begins, and disposed of where it ends.
//
//   node examples/http-server/main.ts     then: curl --data-binary @README.md http://127.0.0.1:PORT/
//                                               curl http://127.0.0.1:PORT/primes?from=900000
import { createHash } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { HostPool } from "@fiberhost/core"
import { NodeGuestThread, NodeHostPool, NodePluginModule } from "@fiberhost/node"
import { GuestLog } from "@fiberhost/wasm-host"
import { Effect, Layer, ManagedRuntime } from "effect"
import { Primes } from "../pool/primes.ts"
import { Imports, NotFound, Reporter } from "../report/contract.ts"

const runtime = ManagedRuntime.make(
  Layer.merge(
    NodeGuestThread.layer(),
    NodeHostPool.layer(Primes, {
      program: new URL("../pool/primes.worker.ts", import.meta.url),
      initial: { largest: 1_000_000 },
      size: 1,
      concurrency: 1
    })
  )
)
const module = await runtime.runPromise(
  NodePluginModule.fromFile(new URL("../../guests/report/report.wasm", import.meta.url))
)
const primes = HostPool.promises(await runtime.runPromise(Primes))

/** A guest for this request, which sees the request's body and nothing else. */
const reportOn = (body: Uint8Array) =>
  Effect.gen(function* () {
    const reporter = yield* Reporter.make({ module })
    const { files } = yield* reporter.report({ paths: ["body"] })
    return files[0]
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Imports.toLayer({
        read_file: ({ path }) => (path === "body" ? Effect.succeed(body) : Effect.fail(new NotFound({ path }))),
        sha256: ({ bytes }) => Effect.succeed(createHash("sha256").update(bytes).digest("hex")),
        log: GuestLog.debug
      })
    )
  )

const answer = async (request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> => {
  const url = URL.parse(request.url ?? "/", "http://localhost")
  if (url === null) {
    response.writeHead(400).end("this is no URL\n")
  } else if (request.method === "POST") {
    const body = await buffer(request)
    const report = await runtime.runPromise(reportOn(body), { signal })
    response.setHeader("content-type", "application/json").end(JSON.stringify(report))
  } else if (url.pathname === "/primes") {
    // The thread computes no further than the client reads.
    const from = Number(url.searchParams.get("from"))
    if (!Number.isSafeInteger(from)) return void response.writeHead(400).end("from must be an integer\n")
    for await (const prime of primes.list({ from }, { signal })) {
      if (!response.write(`${prime}\n`)) await once(response, "drain", { signal })
    }
    response.end()
  } else {
    response.writeHead(404).end()
  }
}

const server = createServer((request, response) => {
  // A client that goes away interrupts its call, and what its guest had asked for.
  const client = new AbortController()
  response.once("close", () => client.abort())
  answer(request, response, client.signal).catch((error: unknown) => {
    if (client.signal.aborted) return
    console.error(String(error))
    if (response.headersSent) response.destroy()
    else response.writeHead(500, { "content-type": "text/plain" }).end(String(error))
  })
})
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    // Requests that are in are answered; then threads and guests end, and with them the process.
    await new Promise((resolve) => server.close(resolve))
    await runtime.dispose()
    console.log("closed")
  })
}
