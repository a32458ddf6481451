/**
 * The number kinds of a WebAssembly machine as schemas.
 *
 * JavaScript has one `number`; a guest has ten kinds of it. A contract says which one it means with these schemas: the
 * kind is an annotation on the schema's AST, so that brands, further checks and transformations keep it, and
 * {@link kindOf} finds it again. Values outside a kind's range are refused, never wrapped. `bool` is `Schema.Boolean`.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/** What a machine holds: one bit, an integer of 8 to 64 bits, or an IEEE 754 float. */
export type Kind = "bool" | "i8" | "u8" | "i16" | "u16" | "i32" | "u32" | "i64" | "u64" | "f32" | "f64"

/** Kinds whose JavaScript value is an integral `number`. */
export type IntKind = "i8" | "u8" | "i16" | "u16" | "i32" | "u32"

/** Inclusive bounds of the integers that travel as `number`. */
export const intRange: { readonly [K in IntKind]: readonly [min: number, max: number] } = {
  i8: [-0x80, 0x7f],
  u8: [0, 0xff],
  i16: [-0x8000, 0x7fff],
  u16: [0, 0xffff],
  i32: [-0x8000_0000, 0x7fff_ffff],
  u32: [0, 0xffff_ffff]
}

/** Inclusive bounds of the integers that travel as `bigint`. */
export const bigIntRange: { readonly [K in "i64" | "u64"]: readonly [min: bigint, max: bigint] } = {
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
  u64: [0n, 2n ** 64n - 1n]
}

const annotation = "~fiberhost/core/Primitive"

/** 0 to 255. */
export const U8: Schema.Number = integer("u8")
/** -128 to 127. */
export const I8: Schema.Number = integer("i8")
/** 0 to 65,535. */
export const U16: Schema.Number = integer("u16")
/** -32,768 to 32,767. */
export const I16: Schema.Number = integer("i16")
/** 0 to 4,294,967,295. */
export const U32: Schema.Number = integer("u32")
/** -2,147,483,648 to 2,147,483,647. */
export const I32: Schema.Number = integer("i32")
/** A `bigint` from 0 to 2^64 - 1. */
export const U64: Schema.BigInt = bigInteger("u64")
/** A `bigint` from -2^63 to 2^63 - 1. */
export const I64: Schema.BigInt = bigInteger("i64")

/**
 * A number carried in 32 bits: rounded to the nearest f32 when it is written. NaN, the infinities and -0 pass; a finite
 * number that would round to an infinity is refused.
 */
export const F32: Schema.Number = Schema.Number.annotate({ [annotation]: "f32" satisfies Kind }).check(
  Schema.makeFilter((n: number) => !Number.isFinite(n) || Number.isFinite(Math.fround(n)), {
    expected: "a number within the range of f32"
  })
)

/** Any number in 64 bits: also NaN, the infinities and -0. */
export const F64: Schema.Number = Schema.Number.annotate({ [annotation]: "f64" satisfies Kind })

/**
 * The machine kind of a schema's encoded end. `Schema.Boolean` is `bool`; a `Number` that is not restricted to integers
 * is `f64`. Undefined for everything else, also for a bare `Int` or `BigInt`, whose width nobody has said.
 */
export const kindOf = (ast: SchemaAST.AST): Kind | undefined => {
  const end = encodedEnd(ast)
  const kind = annotated(end)
  if (kind !== undefined) return kind
  if (SchemaAST.isBoolean(end)) return "bool"
  return SchemaAST.isNumber(end) && !hasIntCheck(end.checks) ? "f64" : undefined
}

/**
 * True for an `Int` or a `BigInt` that is not one of this module's kinds: as a raw argument it has no width, so a
 * contract refuses it and names the kinds to choose from.
 */
export const isBareInteger = (ast: SchemaAST.AST): boolean => {
  const end = encodedEnd(ast)
  if (annotated(end) !== undefined) return false
  return SchemaAST.isBigInt(end) || (SchemaAST.isNumber(end) && hasIntCheck(end.checks))
}

/**
 * How many of a schema's leading checks were put there by this module. A codec verifies those itself and runs only the
 * ones that follow.
 */
export const ownChecks = (ast: SchemaAST.AST): number => {
  switch (annotated(ast)) {
    case undefined:
    case "bool":
    case "f64":
      return 0
    case "f32":
    case "i64":
    case "u64":
      return 1
    default:
      return 2
  }
}

/** Whether a number's checks, or a group among them, restrict it to integers. */
const hasIntCheck = (checks: SchemaAST.Checks | undefined): boolean =>
  checks?.some((check) => hasId(check, "effect/schema/isInt")) ?? false

function hasId(check: SchemaAST.Check<never>, id: string): boolean {
  return (
    check.annotations?.representation?.id === id ||
    (check._tag === "FilterGroup" && check.checks.some((member) => hasId(member, id)))
  )
}

function integer(kind: IntKind): Schema.Number {
  const [minimum, maximum] = intRange[kind]
  return Schema.Number.annotate({ [annotation]: kind }).check(
    Schema.isInt(),
    Schema.isBetween({ minimum, maximum }, { expected: `an integer from ${minimum} to ${maximum}` })
  )
}

function bigInteger(kind: "i64" | "u64"): Schema.BigInt {
  const [minimum, maximum] = bigIntRange[kind]
  return Schema.BigInt.annotate({ [annotation]: kind }).check(
    Schema.isBetweenBigInt({ minimum, maximum }, { expected: `an integer from ${minimum} to ${maximum}` })
  )
}

function encodedEnd(ast: SchemaAST.AST): SchemaAST.AST {
  let end = ast
  while (end.encoding !== undefined) end = end.encoding[end.encoding.length - 1]!.to
  return end
}

function annotated(end: SchemaAST.AST): Kind | undefined {
  return end.annotations?.[annotation] as Kind | undefined
}
