import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpSerialization, OtlpTracer } from "effect/observability"

/** Sends the spans of a thread to a collector. Each thread has one of its own: spans do not travel, what they belong to does. */
export const tracing = (serviceName: string, collector: string) =>
  OtlpTracer.layer({ url: `${collector}/v1/traces`, resource: { serviceName } }).pipe(
    Layer.provide(OtlpSerialization.layerJson),
    Layer.provide(FetchHttpClient.layer)
  )
