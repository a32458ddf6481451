// A small collector of OpenTelemetry's spans: it remembers what it is sent, and draws it.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { Effect, Schema } from "effect"

const Attribute = Schema.Struct({
  key: Schema.String,
  value: Schema.Struct({ stringValue: Schema.optionalKey(Schema.String) })
})
const Span = Schema.Struct({
  spanId: Schema.String,
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  startTimeUnixNano: Schema.String
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Schema.Struct({ attributes: Schema.Array(Attribute) }),
      scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) }))
    })
  )
})

/** Listens on a free port for as long as the scope. `lines` draws each span below the one that it was made in. */
export const collector = Effect.gen(function* () {
  const received: Array<typeof Span.Type & { readonly service: string | undefined }> = []
  const server = createServer(async (request, response) => {
    const { resourceSpans } = Schema.decodeUnknownSync(Traces)(await json(request))
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue
      for (const { spans } of scopeSpans) received.push(...spans.map((span) => ({ ...span, service })))
    }
    response.end("{}")
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close())
  )
  const draw = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    received
      .filter(({ parentSpanId }) => parentSpanId === parent)
      .sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
      .flatMap(({ name, service, spanId }) => [`${indent}${name} (${service})`, ...draw(spanId, `${indent}  `)])
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines: () => draw(undefined, "")
  }
})
