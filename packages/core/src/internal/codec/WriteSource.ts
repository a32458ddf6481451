/**
 * Compiles a wire form to a function that writes it: the twin of `ReadSource`. What is written, and what is said of
 * values that are refused, is what `WireEncoder` writes and says.
 */
import * as Option from "effect/Option"
import { atKey, mismatch } from "../../CodecError.ts"
import { Writer, written } from "../msgpack/MsgPackWriter.ts"
import { enter } from "./Nesting.ts"
import { at, isCompiled, Source, storeBytes } from "./Source.ts"
import { interpret, notFinite, outside, type Write } from "./WireEncoder.ts"
import type { Field, ListWire, StructWire, Wire } from "./WireSchema.ts"

const made = new WeakMap<Wire, Write>()

/** The writing function of a form, as a part of others. It is compiled when it is first used. */
const writer = (wire: Wire): Write => {
  let write = made.get(wire)
  if (write === undefined) made.set(wire, (write = isWritten(wire) ? lazily(wire) : interpret(wire, writer)))
  return write
}

function lazily(wire: Wire): Write {
  let write: Write | undefined
  return (value, w) => (write ??= compiled(wire))(value, w)
}

/** The writing function of a form. */
export const compiled = (wire: Wire): Write => (isWritten(wire) ? compile(wire).make<Write>() : writer(wire))

/** The source of a form that `isWritten`. */
export const compile = (wire: Wire): Source => {
  const compiler = new Compiler()
  compiler.source.entry = compiler.functionOf(wire)
  return compiler.source
}

/** As `isCompiled`; the header of a struct with optional fields is written for all of them, and corrected in place. */
const isWritten = (wire: Wire): wire is StructWire | ListWire =>
  isCompiled(wire) && (wire._tag !== "Struct" || wire.fields.length <= 15 || !wire.fields.some(mayBeLeftOut))

class Compiler {
  readonly source = new Source()
  private readonly atKey = this.source.constant(atKey, "atKey")
  private readonly enter = this.source.constant(enter, "enter")

  /** The name of a function that writes the form. */
  functionOf(wire: Wire): string {
    if (!isWritten(wire)) return this.source.constant(writer(wire), `writes ${wire._tag}`)
    return this.source.functionOf(wire, (name) =>
      wire._tag === "Struct" ? this.struct(name, wire) : this.list(name, wire)
    )
  }

  /** Statements that write the variable `v`, after `key`, which is written already when there is none. */
  private write(wire: Wire, v: string, key: Uint8Array = nothing): string {
    const scalar = this.scalar(wire, v, key)
    return (
      scalar ??
      [
        key.length > longestInline ? `w.raw(${this.source.constant(key, "key")})` : take(key, 0),
        this.follow(wire, v)
      ].join("\n    ")
    )
  }

  /** The same for what always takes as many bytes: key and value take their room at once. */
  private scalar(wire: Wire, v: string, key: Uint8Array): string | undefined {
    if (key.length > longestInline) return undefined
    if (wire._tag === "Bool") {
      return `${this.expect(`typeof ${v} === "boolean"`, "boolean", v)}
    ${take(key, 1)}bytes[${at("o", key.length)}] = ${v} ? 0xc3 : 0xc2`
    }
    if (wire._tag !== "Float" || wire.bits !== 64) return undefined
    return `${this.expect(`typeof ${v} === "number"`, "number", v)}
    ${wire.finite ? this.finite(v) : ""}
    ${take(key, 9)}bytes[${at("o", key.length)}] = 0xcb; w.view.setFloat64(o + ${key.length + 1}, ${v})`
  }

  private follow(wire: Wire, v: string): string {
    switch (wire._tag) {
      case "Str":
        return `${this.expect(`typeof ${v} === "string"`, "string", v)}; w.str(${v})`
      case "Bytes":
        return `${this.expect(`${v} instanceof Uint8Array`, "Uint8Array", v)}; w.${wire.moved ? "moved" : "bin"}(${v})`
      case "Int": {
        const isSafe = wire.min === Number.MIN_SAFE_INTEGER && wire.max === Number.MAX_SAFE_INTEGER
        const isInt = this.expect(`typeof ${v} === "number" && Number.isSafeInteger(${v})`, "an integer", v)
        return `${isInt}; ${isSafe ? "" : `${this.within(v, `${wire.min}`, `${wire.max}`)}; `}w.int(${v})`
      }
      case "BigInt":
        return `${this.expect(`typeof ${v} === "bigint"`, "bigint", v)}; ${this.within(v, `${wire.min}n`, `${wire.max}n`)}; w.bigInt(${v})`
      case "Option": {
        const isOption = this.source.constant(Option.isOption, "Option.isOption")
        return `${this.expect(`${isOption}(${v})`, "Option", v)}
    if (${v}._tag === "None") w.nil()
    else { const some = ${v}.value; ${this.write(wire.value, "some")} }`
      }
      default:
        return `${this.functionOf(wire)}(${v}, w)`
    }
  }

  private expect(condition: string, expected: string, v: string): string {
    return `if (!(${condition})) ${this.source.constant(mismatch, "mismatch")}(${JSON.stringify(expected)}, ${v})`
  }

  private within(v: string, min: string, max: string): string {
    return `if (${v} < ${min} || ${v} > ${max}) throw ${this.source.constant(outside, "outside")}(${min}, ${max})`
  }

  private finite(v: string): string {
    return `if (!Number.isFinite(${v})) throw ${this.source.constant(notFinite, "notFinite")}()`
  }

  private struct(name: string, { fields }: StructWire): string {
    const names = this.source.constant(
      fields.map((field) => field.name),
      "names"
    )
    const isFixed = !fields.some(mayBeLeftOut)
    const before = header(fields.length)
    const first = isFixed ? before : nothing
    return `
function ${name}(value, w) {
  ${this.enter}(w)
  ${this.expect('typeof value === "object" && value !== null && !Array.isArray(value)', "object", "value")}
  let at = 0, o = 0, bytes, v
  ${isFixed ? "" : `let count = ${fields.length}; const start = w.size\n  ${take(before, 0)}`}
  try {
${fields.map((field, i) => this.field(field, i, i === 0 ? first : nothing)).join("\n")}
  } catch (failure) {
    throw ${this.atKey}(failure, ${names}[at])
  }
  ${isFixed ? "" : `if (count < ${fields.length}) w.patchMapHeader(start, count)`}
  w.depth--
}`
  }

  /** A key that every object inherits counts only when it is the object's own. */
  private field(field: Field, i: number, before: Uint8Array): string {
    const { name, wire } = field
    const found = `value[${JSON.stringify(name)}]`
    const own =
      name in Object.prototype ? `Object.hasOwn(value, ${JSON.stringify(name)}) ? ${found} : undefined` : found
    const write = this.write(wire, "v", concat(before, written(name)))
    return `    at = ${i}; v = ${own}
    ${mayBeLeftOut(field) ? `if (v === undefined) count--\n    else { ${write} }` : write}`
  }

  private list(name: string, { rest }: ListWire): string {
    return `
function ${name}(value, w) {
  ${this.expect("Array.isArray(value)", "array", "value")}
  ${this.enter}(w)
  const count = value.length
  let i = 0, o = 0, bytes
  w.arrayHeader(count)
  try {
    for (; i < count; i++) { const v = value[i]; ${this.write(rest!, "v")} }
  } catch (failure) {
    throw ${this.atKey}(failure, i)
  }
  w.depth--
}`
  }
}

const mayBeLeftOut = (field: Field): boolean => field.optional || field.orUndefined

/** A longer key is copied by a loop. */
const longestInline = 24

const nothing = new Uint8Array(0)

/** Takes room for these bytes and `more`, and stores them: they begin at `o`. */
const take = (bytes: Uint8Array, more: number): string =>
  bytes.length + more === 0
    ? ""
    : `o = w.advance(${bytes.length + more}); bytes = w.bytes; ${storeBytes("bytes", "o", bytes)}`

const header = (count: number): Uint8Array => {
  const writer = new Writer()
  writer.mapHeader(count)
  return writer.take()
}

const concat = (one: Uint8Array, other: Uint8Array): Uint8Array => new Uint8Array([...one, ...other])
