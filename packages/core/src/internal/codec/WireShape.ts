/**
 * What can be told of a wire form at first glance, so that unions choose a member without trying it.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { WireClass } from "../msgpack/MsgPackFormat.ts"
import { absent } from "./SchemaStep.ts"
import type { Field, StructWire, Wire } from "./WireSchema.ts"

/** The classes of first bytes that a form reads, as bits of `WireClass`. */
export const classesOf = (wire: Wire, seen: ReadonlySet<Wire> = new Set()): number => {
  switch (wire._tag) {
    case "Nil":
      return WireClass.nil
    case "Bool":
      return WireClass.bool
    case "Str":
    case "Text":
      return WireClass.str
    case "Bytes":
    case "Beside":
      return WireClass.bin
    case "Never":
      return 0
    case "Float":
      return WireClass.float | WireClass.int
    case "Int":
    case "BigInt":
      return WireClass.int
    case "Literal":
      return literalClass(wire.value)
    case "Option":
      return WireClass.nil | classesOf(wire.value, seen)
    case "List":
    case "Collection":
      return WireClass.array
    case "Struct":
    case "Map":
    case "Result":
      return WireClass.map
    case "Union":
      return wire.members.reduce((all, member) => all | classesOf(member, seen), 0)
    case "Step":
      return classesOf(wire.inner, seen)
    case "Lazy":
      return seen.has(wire) ? 0 : classesOf(wire.wire(), new Set([...seen, wire]))
  }
}

export const mayBeNil = (wire: Wire): boolean => (classesOf(wire) & WireClass.nil) !== 0

/** Whether a form is an optional value, for which a guest may leave its field out instead of writing nil. */
export const isNullable = (wire: Wire, seen: ReadonlySet<Wire> = new Set()): boolean => {
  switch (wire._tag) {
    case "Option":
      return true
    case "Step":
      return isNullable(wire.inner, seen)
    case "Union":
      return wire.members.some((member) => (member._tag === "Nil" && member.value === null) || isNullable(member, seen))
    case "Lazy":
      return !seen.has(wire) && isNullable(wire.wire(), new Set([...seen, wire]))
    default:
      return false
  }
}

/** Whether a value has the outward shape of a form: cheap, and never wrong when it says no. */
export const admits = (wire: Wire, value: unknown): boolean => {
  switch (wire._tag) {
    case "Nil":
      return value === wire.value
    case "Bool":
      return typeof value === "boolean"
    case "Str":
      return typeof value === "string"
    case "Bytes":
      return value instanceof Uint8Array
    case "Never":
      return false
    case "Float":
      return typeof value === "number"
    case "Int":
      return Number.isSafeInteger(value)
    case "BigInt":
      return typeof value === "bigint"
    case "Literal":
      return value === wire.value
    case "Text":
    case "Beside":
    case "Collection":
    case "Map":
      return wire.is(value)
    case "Option":
      return Option.isOption(value)
    case "Result":
      return Result.isResult(value)
    case "List":
      return Array.isArray(value)
    case "Struct":
      return isRecord(value) && wire.fields.every((field) => hasField(field, value))
    case "Union":
      return wire.members.some((member) => admits(member, value))
    case "Step":
      return wire.isCheck ? admits(wire.inner, value) : true
    case "Lazy":
      return true
  }
}

/** The struct that a union member is read as, if it is one. */
export const structOf = (wire: Wire): StructWire | undefined => {
  let at = wire
  for (let hops = 0; hops < 32; hops++) {
    if (at._tag === "Struct") return at
    if (at._tag === "Step") at = at.inner
    else if (at._tag === "Lazy") at = at.wire()
    else if (at._tag === "Union" && at.members.length === 1) at = at.members[0]!
    else return undefined
  }
  return undefined
}

/** The scalar that a form requires, if it is a literal. */
export const literalOf = (wire: Wire): string | number | boolean | bigint | undefined =>
  wire._tag === "Literal" ? wire.value : wire._tag === "Step" && wire.isCheck ? literalOf(wire.inner) : undefined

/** A field's value, or `absent`. A key that every object inherits counts only when it is the object's own. */
export const fieldValue = (field: Field, value: object): unknown => {
  const { name, optional, orUndefined, step } = field
  const found = (value as Record<string, unknown>)[name]
  const isInherited = name in Object.prototype && !Object.hasOwn(value, name)
  if (found !== undefined && !isInherited) return found
  // A step may make something of an undefined value, and something else of a key that is not there.
  const isLeftOut = step === undefined ? optional || orUndefined : isInherited || !(name in value)
  return isLeftOut ? absent : undefined
}

export const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function hasField(field: Field, value: object): boolean {
  const found = fieldValue(field, value)
  if (found === absent || field.step !== undefined) return true
  const literal = literalOf(field.wire)
  if (literal !== undefined) return found === literal
  return found !== undefined || admitsUndefined(field.wire)
}

function admitsUndefined(wire: Wire): boolean {
  return admits(wire, undefined)
}

function literalClass(value: string | number | boolean | bigint): number {
  switch (typeof value) {
    case "string":
      return WireClass.str
    case "boolean":
      return WireClass.bool
    case "bigint":
      return WireClass.int
    default:
      return Number.isSafeInteger(value) ? WireClass.int : WireClass.float
  }
}
