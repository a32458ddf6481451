/**
 * Why a value could not be written as MessagePack or read from it.
 *
 * {@link CodecError} is what callers see. Inside the codec one {@link CodecFailure} is thrown from the place that
 * noticed; the composites it unwinds through add their key to its path, and `Codec` turns it into a `CodecError`.
 */
import * as Schema from "effect/Schema"
import { isA, textOf } from "./Foreign.ts"

/** The value is not one that the schema admits. */
export class DoesNotFit extends Schema.TaggedClass<DoesNotFit>()("DoesNotFit", {
  message: Schema.String
}) {}

/** The bytes are not MessagePack, or not the MessagePack that the schema is written as. `offset` is in bytes. */
export class Malformed extends Schema.TaggedClass<Malformed>()("Malformed", {
  offset: Schema.Number,
  message: Schema.String
}) {}

/** The encoded value would be longer than `limit` bytes. */
export class TooLarge extends Schema.TaggedClass<TooLarge>()("TooLarge", {
  limit: Schema.Number
}) {}

/** The value nests deeper than `limit` levels, or contains itself. */
export class TooDeep extends Schema.TaggedClass<TooDeep>()("TooDeep", {
  limit: Schema.Number
}) {}

/** The schema has no MessagePack form. Thrown when a codec is made, never while one runs. */
export class Unsupported extends Schema.TaggedClass<Unsupported>()("Unsupported", {
  hint: Schema.String
}) {}

/** A transformation or check of the schema waits for something. Codecs are synchronous. */
export class Asynchronous extends Schema.TaggedClass<Asynchronous>()("Asynchronous", {}) {}

/** A transformation or check of the schema threw or died, or needs a service. `cause` is what it threw. */
export class Defective extends Schema.TaggedClass<Defective>()("Defective", {
  cause: Schema.Defect()
}) {}

export const CodecErrorReason = Schema.Union([
  DoesNotFit,
  Malformed,
  TooLarge,
  TooDeep,
  Unsupported,
  Asynchronous,
  Defective
])
export type CodecErrorReason = typeof CodecErrorReason.Type

/**
 * A value that could not travel. `path` leads to the part at fault, such as `files[3].name`, and is empty when that is
 * the whole value. An `Unsupported` schema is reported with direction `encode`.
 */
export class CodecError extends Schema.TaggedError<CodecError>()("CodecError", {
  direction: Schema.Literals(["encode", "decode"]),
  path: Schema.String,
  reason: CodecErrorReason
}) {
  override get message(): string {
    const where = this.path === "" ? "the value" : `the value at ${this.path}`
    return `Cannot ${this.direction} ${where}: ${this.detail}`
  }

  /** What is wrong and what to do, without the place. */
  get detail(): string {
    return explain(this.reason)
  }

  /** The same failure of a value that is part of another: its path begins with `name`. */
  under(name: string): CodecError {
    const path = this.path === "" || this.path.startsWith("[") ? `${name}${this.path}` : `${name}.${this.path}`
    return new CodecError({ direction: this.direction, path, reason: this.reason })
  }
}

/** What the codec throws inside itself. Keys are pushed innermost first. Never leaves `Codec`. */
export class CodecFailure {
  readonly reason: PendingReason
  readonly path: Array<PropertyKey> = []

  constructor(reason: PendingReason) {
    this.reason = reason
  }

  /** Whether another member of a union may still succeed. */
  get isMismatch(): boolean {
    return (this.reason._tag === "DoesNotFit" || this.reason._tag === "Malformed") && this.reason.final !== true
  }

  at(key: PropertyKey): this {
    this.path.push(key)
    return this
  }
}

/** The same reasons as plain data: a failed union member must not pay for a schema class. */
type PendingReason =
  | { readonly _tag: "DoesNotFit"; readonly message: string; readonly final?: boolean }
  | { readonly _tag: "Malformed"; readonly offset: number; readonly message: string; readonly final?: boolean }
  | { readonly _tag: "TooLarge" | "TooDeep"; readonly limit: number }
  | { readonly _tag: "Unsupported"; readonly hint: string }
  | { readonly _tag: "Asynchronous" }
  | { readonly _tag: "Defective"; readonly cause: unknown }

/** Adds the key of a composite to what was thrown inside it. */
export const atKey = (thrown: unknown, key: PropertyKey): CodecFailure =>
  (isA(thrown, CodecFailure) ? thrown : new CodecFailure({ _tag: "Defective", cause: thrown })).at(key)

export const doesNotFit = (message: string): CodecFailure => new CodecFailure({ _tag: "DoesNotFit", message })

/** Throws that a value is not what is expected. */
export function mismatch(expected: string, value: unknown): never {
  throw doesNotFit(`Expected ${expected}, got ${kindOf(value)}`)
}

/** Of arguments that are not sent: their caller left while they were written, so nobody is told. */
export const withdrawn = (): CodecError =>
  new CodecError({ direction: "encode", path: "", reason: new DoesNotFit({ message: "its caller has left" }) })

/** Turns whatever was thrown while a codec ran into its error. A stray exception comes from the user's own code. */
export const toCodecError = (direction: "encode" | "decode", thrown: unknown): CodecError => {
  const failure = isA(thrown, CodecFailure) ? thrown : new CodecFailure({ _tag: "Defective", cause: thrown })
  return new CodecError({ direction, path: formatPath(failure.path.toReversed()), reason: toReason(failure.reason) })
}

/** Formats keys as one would write them in JavaScript: `a.b[3]["x y"]`. */
const formatPath = (path: ReadonlyArray<PropertyKey>): string => {
  let out = ""
  for (const key of path) {
    if (typeof key === "number") out += `[${key}]`
    else if (typeof key === "symbol") out += `[${String(key)}]`
    else if (key.length <= maxTextLength && /^(\*|[A-Za-z_$][\w$]*)$/.test(key)) out += out === "" ? key : `.${key}`
    else out += `[${quoted(key)}]`
  }
  return out
}

/** A text from outside, which may be hostile: a long one is cut. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}...`)

const maxTextLength = 64

/** The kind of a value, never the value: it may be a secret. */
function kindOf(value: unknown): string {
  if (value === null) return "null"
  if (typeof value !== "object") return typeof value
  const prototype: object | null = Object.getPrototypeOf(value)
  const name: unknown = prototype?.constructor?.name
  return typeof name === "string" && name !== "" ? name : "object"
}

function toReason(reason: PendingReason): CodecErrorReason {
  switch (reason._tag) {
    case "DoesNotFit":
      return new DoesNotFit({ message: reason.message })
    case "Malformed":
      return new Malformed({ offset: reason.offset, message: reason.message })
    case "TooLarge":
      return new TooLarge({ limit: reason.limit })
    case "TooDeep":
      return new TooDeep({ limit: reason.limit })
    case "Unsupported":
      return new Unsupported({ hint: reason.hint })
    case "Asynchronous":
      return new Asynchronous()
    case "Defective":
      return new Defective({ cause: reason.cause })
  }
}

function explain(reason: CodecErrorReason): string {
  switch (reason._tag) {
    case "DoesNotFit":
      return `it does not fit its schema (${reason.message}). Correct the value or the schema.`
    case "Malformed":
      return `at byte ${reason.offset}: ${reason.message}. Check that both sides use the same contract.`
    case "TooLarge":
      return `it needs more than ${reason.limit} bytes. Send it in parts.`
    case "TooDeep":
      return `it nests deeper than ${reason.limit} levels. Flatten it, and check that it does not contain itself.`
    case "Unsupported":
      return `its schema has no MessagePack form. ${reason.hint}`
    case "Asynchronous":
      return "its schema waits for something. Do asynchronous work before encoding or after decoding."
    case "Defective":
      return `a check or transformation of its schema threw: ${textOf(reason.cause)}. Correct that function, and let it need no services.`
  }
}
