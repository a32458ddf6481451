/**
 * Wire forms of the classes that Effect's schemas declare (`Schema.Date`, `Schema.Option`, ..), and what to say of
 * those that have none.
 */
import * as Chunk from "effect/Chunk"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as Transferable from "effect/workers/Transferable"
import { copyWith, transformation } from "./SchemaStep.ts"
import type { BesideWire, CollectionWire, MapWire, Wire } from "./WireSchema.ts"
import * as WireText from "./WireText.ts"

/** How the builder is asked for the form of a type parameter; `key` names it in error paths. */
export type Build = (ast: SchemaAST.AST, key?: PropertyKey, allowNever?: boolean) => Wire

/** The form of a declaration, or undefined when there is no rule for it. */
export const fromDeclaration = (ast: SchemaAST.Declaration, build: Build): Wire | undefined => {
  const [first, second] = ast.typeParameters
  const id = declaredId(ast)
  switch (id) {
    case "Uint8Array":
      return { _tag: "Bytes", moved: false }
    case "Date":
      return WireText.date
    case "DateTimeUtc":
      return WireText.dateTimeUtc
    case "URL":
      return WireText.url
    case "Option":
      return { _tag: "Option", value: build(first!) }
    case "Result":
      return { _tag: "Result", ok: build(first!, "Ok", true), err: build(second!, "Err", true) }
    case "ReadonlySet":
      return { ...readonlySet, item: build(first!, 0) }
    case "HashSet":
      return { ...hashSet, item: build(first!, 0) }
    case "Chunk":
      return { ...chunk, item: build(first!, 0) }
    case "ReadonlyMap":
      return { ...readonlyMap, key: build(first!, "key"), value: build(second!, "value") }
    case "HashMap":
      return { ...hashMap, key: build(first!, "key"), value: build(second!, "value") }
    case undefined:
      return (ast.annotations?.[clonedKey] as BesideWire | undefined) ?? fromLink(ast, build)
    default:
      return undefined
  }
}

/** The annotation of declarations that only the structured clone can carry: their form. */
export const clonedKey = "~fiberhost/core/cloned"

/** Whether a schema is `Transferable.Uint8Array`, with whatever annotations and checks. */
export const isMoved = (ast: SchemaAST.AST): boolean =>
  ast.encoding?.length === 1 && ast.encoding[0].transformation === moving

const moving = Transferable.Uint8Array.ast.encoding?.[0].transformation

/** What to use instead of a declaration without a rule. */
export const declarationHint = (ast: SchemaAST.Declaration): string => {
  const instead = replacements.get(declaredId(ast) ?? String(ast.annotations?.expected))
  return instead !== undefined
    ? `use ${instead}.`
    : "transform it to a schema that has a form (Schema.decodeTo), give the declaration a toCodec annotation, or, between threads only, use Codec.cloned."
}

const replacements: ReadonlyMap<string, string> = new Map(
  Object.entries({
    BigDecimal: "Schema.BigDecimalFromString",
    ByteSize: "Schema.ByteSizeFromBigInt",
    DateTimeZoned: "Schema.DateTimeZonedFromString, or Schema.DateTimeUtc",
    Duration: "Schema.DurationFromMillis (a float) or Schema.DurationFromNanos (a 64-bit integer)",
    TimeZone: "Schema.TimeZoneFromString",
    TimeZoneNamed: "Schema.TimeZoneNamedFromString",
    Redacted: "the schema of the secret itself, and redact after decoding",
    Error: "a Schema.TaggedError with the fields that should travel",
    Cause: "a Schema.TaggedError with the fields that should travel",
    CauseReason: "a Schema.TaggedError with the fields that should travel",
    Exit: "Schema.Result",
    Json: "Schema.fromJsonString; for a cause, Schema.fromJsonString(Schema.Defect())",
    MutableJson: "Schema.fromJsonString",
    RegExp: "a struct of source and flags",
    SemVer: "Schema.SemVerFromString",
    File: "a struct with a Uint8Array",
    FormData: "a struct",
    URLSearchParams: "a string"
  })
)

/** The name that Effect declares a class under; undefined for classes and for declarations of users. */
function declaredId(ast: SchemaAST.Declaration): string | undefined {
  const id = (ast.annotations?.representation as { readonly id?: string } | undefined)?.id
  return id?.startsWith("effect/") ? id.slice(id.lastIndexOf("/") + 1) : undefined
}

/** Classes (as types) and declarations of users say themselves which schema they are made from. */
function fromLink(ast: SchemaAST.Declaration, build: Build): Wire | undefined {
  const toCodec = ast.annotations?.toCodec
  if (typeof toCodec !== "function") return undefined
  const link: SchemaAST.Link | undefined = toCodec(ast.typeParameters.map((parameter) => Schema.make(parameter)))
  if (link === undefined) return undefined
  const steps = transformation(copyWith(ast, { checks: undefined, encoding: [link] } as never))
  return { _tag: "Step", inner: build(link.to), ...steps, isCheck: false }
}

const readonlySet: Omit<CollectionWire, "item"> = {
  _tag: "Collection",
  isHashed: false,
  is: (value) => value instanceof Set,
  items: (value: ReadonlySet<unknown>) => value,
  from: (items) => new Set(items)
}

const hashSet: Omit<CollectionWire, "item"> = {
  _tag: "Collection",
  isHashed: true,
  is: HashSet.isHashSet,
  items: (value: HashSet.HashSet<unknown>) => value,
  from: HashSet.fromIterable
}

const chunk: Omit<CollectionWire, "item"> = {
  _tag: "Collection",
  isHashed: false,
  is: Chunk.isChunk,
  items: (value: Chunk.Chunk<unknown>) => value,
  from: Chunk.fromIterable
}

const readonlyMap: Omit<MapWire, "key" | "value"> = {
  _tag: "Map",
  isHashed: false,
  is: (value) => value instanceof Map,
  entries: (value: ReadonlyMap<unknown, unknown>) => value,
  from: (entries) => new Map(entries)
}

const hashMap: Omit<MapWire, "key" | "value"> = {
  _tag: "Map",
  isHashed: true,
  is: HashMap.isHashMap,
  entries: (value: HashMap.HashMap<unknown, unknown>) => value,
  from: HashMap.fromIterable
}
