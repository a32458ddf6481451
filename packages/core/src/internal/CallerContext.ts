/**
 * What of its caller's context crosses with a call to another thread, beside its deadline: the span that it is made in,
 * under which the function makes its own, and the log level that was set around it. Of most calls that is nothing; calls in one
 * span have the same, so both sides keep the last.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { Reader } from "./msgpack/MsgPackReader.ts"
import { Writer } from "./msgpack/MsgPackWriter.ts"

export interface CallerContext {
  readonly span: Tracer.ExternalSpan | undefined
  readonly logLevel: LogLevel.LogLevel | undefined
}

/** Caller's side: what a fiber has to tell threads whose log level is `usual`, as it crosses. Undefined when it is nothing. */
export const teller = (
  usual: LogLevel.LogLevel
): ((fiber: Fiber.Fiber<unknown, unknown>) => Uint8Array | undefined) => {
  /** What was told last, and of what. */
  let last: { span: unknown; isSampled: boolean; logLevel: unknown; told: Uint8Array | undefined } | undefined
  return (fiber) => {
    const { minimumLogLevel, span, tracerEnabled: isSampled } = fiber.cache
    if (span === undefined && minimumLogLevel === usual) return undefined
    const sent = span === undefined || Context.get(fiber.context, Tracer.DisablePropagation) ? undefined : span
    // A level that nobody set around the call is the pool's affair.
    const isSet = minimumLogLevel !== usual && Context.getOrUndefined(fiber.context, References.MinimumLogLevel)
    const logLevel = isSet ? minimumLogLevel : undefined
    if (last === undefined || sent !== last.span || isSampled !== last.isSampled || logLevel !== last.logLevel) {
      const told = encode({ span: sent && sentSpan(sent, isSampled), logLevel })
      last = { span: sent, isSampled, logLevel, told }
    }
    return last.told
  }
}

/** Callee's side: what the call runs in, on a thread that runs its calls in `context`. */
export const provide = (context: Context.Context<never>, { logLevel, span }: CallerContext): Context.Context<never> => {
  const levelled = logLevel === undefined ? context : Context.add(context, References.MinimumLogLevel, logLevel)
  return span === undefined ? levelled : Context.add(levelled, Tracer.ParentSpan, span)
}

const writer = new Writer()

/** The span, or nil; the log level's number, or nil. */
const encode = ({ logLevel, span }: CallerContext): Uint8Array | undefined => {
  if (span === undefined && logLevel === undefined) return undefined
  if (span === undefined) writer.nil()
  else {
    writer.str(span.traceId)
    writer.str(span.spanId)
    writer.bool(span.sampled)
  }
  if (logLevel === undefined) writer.nil()
  else writer.int(LogLevel.values.indexOf(logLevel))
  return writer.take()
}

let lastRead: { readonly written: Uint8Array; readonly context: CallerContext } | undefined

export const read = (reader: Reader): CallerContext => {
  if (lastRead !== undefined && reader.passes(lastRead.written)) return lastRead.context
  const { offset } = reader
  const context = { span: readSpan(reader), logLevel: readLogLevel(reader) }
  lastRead = { written: new Uint8Array(reader.bytes.subarray(offset, reader.offset)), context }
  return context
}

const readSpan = (reader: Reader): Tracer.ExternalSpan | undefined => {
  if (reader.isNil()) return void reader.nil()
  return Tracer.externalSpan({ traceId: readId(reader), spanId: readId(reader), sampled: reader.bool() })
}

const readId = (reader: Reader): string => {
  const { offset } = reader
  const id = reader.str()
  return isId.test(id) ? id : reader.malformed(offset, "the id of a trace or of a span is due")
}

const readLogLevel = (reader: Reader): LogLevel.LogLevel | undefined => {
  if (reader.isNil()) return void reader.nil()
  const { offset } = reader
  return LogLevel.values[reader.int()] ?? reader.malformed(offset, "a log level is due")
}

/** Printable ASCII without spaces. What tracers use is hexadecimal, of 16 or 32 digits; a tracer of the user's may have ids of its own. */
const isId = /^[!-~]{1,64}$/

/**
 * The span that those of the function are children of, as they would be in the caller's own thread. A caller whose tracer
 * is off wants nothing recorded: what is around him says so, if there is a span around him.
 */
const sentSpan = (span: Tracer.AnySpan, isSampled: boolean): Tracer.ExternalSpan | undefined => {
  const sent = propagated(span)
  if (sent === undefined) return undefined
  const { sampled, spanId, traceId } = sent
  if (!isId.test(traceId) || !isId.test(spanId)) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: sampled && isSampled })
}

/** The span, or the nearest one around it that is not kept to itself. */
const propagated = (span: Tracer.AnySpan): Tracer.AnySpan | undefined => {
  if (!Context.get(span.annotations, Tracer.DisablePropagation)) return span
  const parent = span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined
  return parent === undefined ? undefined : propagated(parent)
}
