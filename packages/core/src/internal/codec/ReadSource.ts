/**
 * Compiles a wire form to a function that reads it.
 *
 * Structs, lists, options and the scalars in them are compiled; every other node is interpreted, and its parts compiled
 * again. What is read, and what is said of bytes that are refused, is what `WireDecoder` reads and says.
 */
import * as Option from "effect/Option"
import { atKey } from "../../CodecError.ts"
import { written } from "../msgpack/MsgPackWriter.ts"
import { bytesAre, isCompiled, Source } from "./Source.ts"
import * as StructDecoder from "./StructDecoder.ts"
import { float, interpret, outside, type Read } from "./WireDecoder.ts"
import type { Field, ListWire, StructWire, Wire } from "./WireSchema.ts"

const made = new WeakMap<Wire, Read>()

/** The reading function of a form, as a part of others. It is compiled when it is first used. */
const reader = (wire: Wire): Read => {
  let read = made.get(wire)
  if (read === undefined) made.set(wire, (read = isCompiled(wire) ? lazily(wire) : interpret(wire, reader)))
  return read
}

function lazily(wire: Wire): Read {
  let read: Read | undefined
  return (r) => (read ??= compiled(wire))(r)
}

/** The reading function of a form. */
export const compiled = (wire: Wire): Read => (isCompiled(wire) ? compile(wire).make<Read>() : reader(wire))

/** The source of a form that `isCompiled`. */
export const compile = (wire: Wire): Source => {
  const compiler = new Compiler()
  compiler.source.entry = compiler.functionOf(wire)
  return compiler.source
}

class Compiler {
  readonly source = new Source()
  private readonly atKey = this.source.constant(atKey, "atKey")
  private readonly unseen = this.source.constant(StructDecoder.unseen, "unseen")

  /** The name of a function that reads the form. */
  functionOf(wire: Wire): string {
    if (!isCompiled(wire)) return this.source.constant(reader(wire), `reads ${wire._tag}`)
    return this.source.functionOf(wire, (name) =>
      wire._tag === "Struct" ? this.struct(name, wire) : this.list(name, wire)
    )
  }

  /** An expression whose value is read from `r`. */
  private value(wire: Wire): string {
    const { source } = this
    switch (wire._tag) {
      case "Nil":
        return `(r.nil(), ${wire.value})`
      case "Bool":
        return "r.bool()"
      case "Str":
        return "r.str()"
      case "Bytes":
        return "r.bin()"
      case "Float":
        if (wire.bits === 64 && !wire.finite) return "r.float()"
        return `${source.constant(float, "float")}(r.float(), ${wire.bits}, ${wire.finite})`
      case "Int":
        if (wire.min === Number.MIN_SAFE_INTEGER && wire.max === Number.MAX_SAFE_INTEGER) return "r.int()"
        return `${this.ranged()}(r.int(), ${wire.min}, ${wire.max})`
      case "BigInt":
        return `${this.ranged()}(r.bigInt(), ${wire.min}n, ${wire.max}n)`
      case "Option": {
        const some = source.constant(Option.some, "Option.some")
        const none = source.constant(Option.none(), "Option.none")
        return `(r.isNil() ? (r.nil(), ${none}) : ${some}(${this.value(wire.value)}))`
      }
      default:
        return `${this.functionOf(wire)}(r)`
    }
  }

  private ranged(): string {
    const fail = this.source.constant(outside, "outside")
    return this.source.helper(
      "ranged",
      `function ranged(value, min, max) { if (value < min || value > max) throw ${fail}(value, min, max); return value }`
    )
  }

  /** Takes keys in schema order, which is how every encoder writes them; from the first other key on all is `anyOrder`'s. */
  private struct(name: string, wire: StructWire): string {
    const { fields } = wire
    const others = this.source.constant(StructDecoder.anyOrder(wire, reader), "reads the rest in any order")
    const names = this.source.constant(
      fields.map((field) => field.name),
      "names"
    )
    const seen = fields.map((field, i) => (field.optional ? `v${i}` : `at > ${i} ? v${i} : ${this.unseen}`))
    return `
function ${name}(r) {
  r.enter()
  const bytes = r.bytes
  let left = r.mapHeader(), at = 0, o = 0
  let ${fields.map((field, i) => (field.optional ? `v${i} = ${this.unseen}` : `v${i}`)).join(", ")}
  inOrder: try {
${fields.map((field, i) => this.field(field, i)).join("\n")}
    at = ${fields.length}
    if (left > 0) break inOrder
    r.depth--
${build(fields, this.unseen)}
  } catch (failure) {
    throw ${this.atKey}(failure, ${names}[at])
  }
  return ${others}(r, left, [${seen.join(", ")}])
}`
  }

  private field({ name, optional, orUndefined, wire }: Field, i: number): string {
    const key = written(name)
    const isNext =
      key.length <= longestInline
        ? `left > 0 && o + ${key.length} <= r.end && ${bytesAre("bytes", "o", key)}`
        : `left > 0 && r.passes(${this.source.constant(key, name)})`
    const pass = key.length <= longestInline ? `r.offset = o + ${key.length}; ` : ""
    const nil = optional || orUndefined ? "if (r.isNil()) { r.offset = o; break inOrder }; " : ""
    const take = `${pass}${nil}v${i} = ${this.value(wire)}; left--`
    const start = `    at = ${i}; o = r.offset`
    return optional
      ? `${start}\n    if (${isNext}) { ${take} }`
      : `${start}\n    if (!(${isNext})) break inOrder\n    ${take}`
  }

  private list(name: string, { rest }: ListWire): string {
    return `
function ${name}(r) {
  const count = r.arrayHeader(), out = []
  r.enter()
  let i = 0
  try {
    for (; i < count; i++) out.push(${this.value(rest!)})
  } catch (failure) {
    throw ${this.atKey}(failure, i)
  }
  r.depth--
  return out
}`
  }
}

/** A longer key is compared by a loop. */
const longestInline = 24

/** Statements that return the struct: fields that must be there at once, from the first that need not be on one by one. */
function build(fields: ReadonlyArray<Field>, unseen: string): string {
  const optional = fields.findIndex((field) => field.optional)
  const sure = optional < 0 ? fields.length : optional
  const key = ({ name }: Field) => JSON.stringify(name)
  const literal = fields.slice(0, sure).map((field, i) => `${key(field)}: v${i}`)
  if (sure === fields.length) return `    return { ${literal.join(", ")} }`
  const others = fields.slice(sure).map((field, i) => {
    const set = `out[${key(field)}] = v${sure + i}`
    return field.optional ? `    if (v${sure + i} !== ${unseen}) ${set}` : `    ${set}`
  })
  return [`    const out = { ${literal.join(", ")} }`, ...others, "    return out"].join("\n")
}
