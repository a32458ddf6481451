/**
 * Interprets a wire form as a function that reads it: from bytes to the schema's value in one pass.
 *
 * What is read is checked as it is read; transformations and checks of the schema run at their node, so that a union
 * can still try its next member. Functions are made once per form.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { atKey, CodecFailure, doesNotFit } from "../../CodecError.ts"
import { Reader } from "./MsgPackReader.ts"
import { written } from "./MsgPackWriter.ts"
import { absent } from "./SchemaStep.ts"
import * as UnionDecoder from "./UnionDecoder.ts"
import type { Field, ListWire, MapWire, StructWire, Wire } from "./WireSchema.ts"
import { isNullable, mayBeNil } from "./WireShape.ts"

/** Reads one value at the reader's offset, or throws a `CodecFailure`. */
export type Read = (reader: Reader) => unknown

/** Levels of arrays, maps and recursive references that one value may have. */
export const maxDepth = 256

const made = new WeakMap<Wire, Read>()

/** The reading function of a form. */
export const reader = (wire: Wire): Read => {
  let read = made.get(wire)
  if (read === undefined) made.set(wire, (read = interpret(wire)))
  return read
}

function interpret(wire: Wire): Read {
  switch (wire._tag) {
    case "Nil":
      return (r) => {
        r.nil()
        return wire.value
      }
    case "Bool":
      return (r) => r.bool()
    case "Str":
      return (r) => r.str()
    case "Bytes":
      return (r) => r.bin()
    case "Beside":
      return (r) => {
        const value = r.cloned()
        if (!wire.is(value)) throw doesNotFit(`Expected ${wire.expected}`)
        return value
      }
    case "Never":
      return (r) => r.malformed(r.offset, "nothing can be here")
    case "Float":
      return wire.bits === 64 && !wire.finite ? (r) => r.float() : (r) => float(r.float(), wire.bits, wire.finite)
    case "Int":
      return int(wire.min, wire.max)
    case "BigInt":
      return bigInt(wire.min, wire.max)
    case "Literal":
      return literal(wire.value)
    case "Text":
      return (r) => {
        const value = wire.parse(r.str())
        if (value === undefined) throw doesNotFit(`Expected ${wire.expected}`)
        return value
      }
    case "Option": {
      const value = reader(wire.value)
      return (r) => {
        if (!r.isNil()) return Option.some(value(r))
        r.nil()
        return Option.none()
      }
    }
    case "Result":
      return nested(result(reader(wire.ok), reader(wire.err)))
    case "List":
      return list(wire)
    case "Collection": {
      const item = reader(wire.item)
      return nested((r) => wire.from(items(r, r.arrayHeader(), item)))
    }
    case "Map":
      return nested(map(wire))
    case "Struct":
      return struct(wire)
    case "Union":
      return UnionDecoder.make(wire.members, wire.oneOf, reader)
    case "Step": {
      const { decode } = wire
      const inner = reader(wire.inner)
      return (r) => decode(inner(r))
    }
    case "Lazy": {
      let read: Read | undefined
      return nested((r) => (read ??= reader(wire.wire()))(r))
    }
  }
}

function nested(read: Read): Read {
  return (r) => {
    enter(r)
    const value = read(r)
    r.depth--
    return value
  }
}

/** Goes one level deeper; who returns normally goes back. */
function enter(r: Reader): void {
  if (++r.depth > maxDepth) throw new CodecFailure({ _tag: "TooDeep", limit: maxDepth })
}

function float(value: number, bits: 32 | 64, finite: boolean): number {
  if (finite && !Number.isFinite(value)) throw notFinite()
  if (bits === 64) return value
  const rounded = Math.fround(value)
  if (Number.isFinite(value) && !Number.isFinite(rounded)) throw doesNotFit("Expected a number within the range of f32")
  return rounded
}

const notFinite = () => doesNotFit("Expected a finite number")

function int(min: number, max: number): Read {
  if (min === Number.MIN_SAFE_INTEGER && max === Number.MAX_SAFE_INTEGER) return (r) => r.int()
  return (r) => {
    const value = r.int()
    if (value < min || value > max) throw outside(value, min, max)
    return value
  }
}

function bigInt(min: bigint, max: bigint): Read {
  return (r) => {
    const value = r.bigInt()
    if (value < min || value > max) throw outside(value, min, max)
    return value
  }
}

const outside = (value: number | bigint, min: number | bigint, max: number | bigint) =>
  doesNotFit(`Expected an integer from ${min} to ${max}, got ${value}`)

function literal(expected: string | number | boolean | bigint): Read {
  const read: Read =
    typeof expected === "string"
      ? (r) => r.str()
      : typeof expected === "boolean"
        ? (r) => r.bool()
        : typeof expected === "bigint"
          ? (r) => r.bigInt()
          : Number.isSafeInteger(expected)
            ? (r) => r.int()
            : (r) => r.float()
  const shown = typeof expected === "string" ? JSON.stringify(expected) : String(expected)
  return (r) => {
    if (read(r) === expected) return expected
    throw doesNotFit(`Expected ${shown}`)
  }
}

function result(ok: Read, err: Read): Read {
  return (r) => {
    const start = r.offset
    const key = r.mapHeader() !== 1 ? undefined : r.passes(okKey) ? "Ok" : r.passes(errKey) ? "Err" : r.str()
    if (key !== "Ok" && key !== "Err") return r.malformed(start, "a map with one key, Ok or Err, is due")
    try {
      return key === "Ok" ? Result.succeed(ok(r)) : Result.fail(err(r))
    } catch (failure) {
      throw atKey(failure, key)
    }
  }
}

const okKey = written("Ok")
const errKey = written("Err")

function list(wire: ListWire): Read {
  const elements = wire.elements.map(reader)
  const rest = wire.rest === undefined ? undefined : reader(wire.rest)
  const all = wire.rest?._tag === "Float" && wire.rest.bits === 64 ? floats(wire.rest.finite) : items
  const tail = wire.tail.map(reader)
  const least = wire.required + tail.length
  return (r) => {
    const start = r.offset
    const count = r.arrayHeader()
    if (count < least || (rest === undefined && count > elements.length)) {
      const due = rest === undefined && least === elements.length ? least : `${least} or more`
      return r.malformed(start, `an array of ${due} items is due, not of ${count}`)
    }
    enter(r)
    const tailStart = count - tail.length
    const out =
      elements.length === 0 && tail.length === 0
        ? all(r, count, rest!)
        : mixed(r, count, (i) => (i < elements.length ? elements[i]! : i < tailStart ? rest! : tail[i - tailStart]!))
    r.depth--
    return out
  }
}

function items(r: Reader, count: number, read: Read): Array<unknown> {
  const out: Array<unknown> = []
  try {
    while (out.length < count) out.push(read(r))
  } catch (failure) {
    throw atKey(failure, out.length)
  }
  return out
}

/** As `items`, without a call and a boxed number for each, into an array that never grows where that is safe. */
function floats(finite: boolean): (r: Reader, count: number) => Array<number> {
  return (r, count) => {
    // What is allocated is less than the bytes that are there, and paid for as often as a union tries again.
    const roomy = count * 9 <= r.remaining && count <= mostAtOnce
    if (roomy) r.spend(count)
    const out = roomy ? new Array<number>(count) : []
    let i = 0
    try {
      for (; i < count; i++) {
        const value = r.float()
        if (finite && !Number.isFinite(value)) throw notFinite()
        out[i] = value
      }
    } catch (failure) {
      throw atKey(failure, i)
    }
    return out
  }
}

const mostAtOnce = 1 << 20

function mixed(r: Reader, count: number, readerAt: (index: number) => Read): Array<unknown> {
  const out: Array<unknown> = []
  try {
    while (out.length < count) out.push(readerAt(out.length)(r))
  } catch (failure) {
    throw atKey(failure, out.length)
  }
  return out
}

function map(wire: MapWire): Read {
  const readKey = reader(wire.key)
  const readValue = reader(wire.value)
  return (r) => {
    const count = r.mapHeader()
    const entries: Array<readonly [unknown, unknown]> = []
    const seen = new Set<unknown>()
    let at: PropertyKey = 0
    try {
      for (let i = 0; i < count; i++) {
        at = i
        const start = r.offset
        const key = readKey(r)
        at = typeof key === "string" || typeof key === "number" ? key : typeof key === "bigint" ? String(key) : i
        if (seen.has(key)) r.malformed(start, "a key comes twice")
        seen.add(key)
        entries.push([key, readValue(r)])
      }
    } catch (failure) {
      throw atKey(failure, at)
    }
    return wire.from(entries)
  }
}

/**
 * Reads keys in schema order as long as they come in it, which is how every encoder of a struct writes them: without a string for a
 * key, and straight into the value. From the first other key on all is left to `anyOrder`.
 */
function struct(wire: StructWire): Read {
  const { fields } = wire
  const names = fields.map(({ name }) => name)
  const special = ({ name, step }: Field) => step !== undefined || name === "__proto__" || !name.isWellFormed()
  const length = fields.some(special) ? 0 : fields.length
  const keys = names.slice(0, length).map(written)
  const readers = fields.map((field) => reader(field.wire))
  const optional = fields.map((field) => field.optional)
  const nilIsAbsent = fields.map((field) => field.optional || field.orUndefined)
  const others = anyOrder(wire, readers)
  return (r) => {
    enter(r)
    let left = r.mapHeader()
    const out: Record<string, unknown> = {}
    let i = 0
    try {
      for (; i < length; i++) {
        const start = r.offset
        if (left > 0 && r.passes(keys[i]!)) {
          if (nilIsAbsent[i] && r.isNil()) {
            r.offset = start
            break
          }
          out[names[i]!] = readers[i]!(r)
          left--
        } else if (!optional[i]) break
      }
    } catch (failure) {
      throw atKey(failure, names[i]!)
    }
    const value = left === 0 && i === fields.length ? out : others(r, left, out, i)
    r.depth--
    return value
  }
}

/** Reads the `left` keys that remain of a map, when the first `known` fields were looked for and lie in `out` if they were there. */
function anyOrder(
  wire: StructWire,
  readers: ReadonlyArray<Read>
): (r: Reader, left: number, out: Record<string, unknown>, known: number) => unknown {
  const { fields, rest } = wire
  const positions = new Map(fields.map((field, i) => [field.name, i]))
  const readRest = rest === undefined ? undefined : reader(rest.value)
  // Forms may refer to each other, so their nil-ness is asked for when all are there.
  let missing: ReadonlyArray<() => unknown> | undefined
  let nilIsAbsent: ReadonlyArray<boolean> | undefined
  return (r, count, before, known) => {
    missing ??= fields.map((field, i) => whenMissing(field, readers[i]!))
    nilIsAbsent ??= fields.map((field) => (field.optional || field.orUndefined) && !mayBeNil(field.wire))
    const values = fields.map(({ name }, i) => (i < known && Object.hasOwn(before, name) ? before[name] : unseen))
    let others: Map<string, unknown> | undefined
    let at: string | undefined
    try {
      for (let left = count; left > 0; left--) {
        at = undefined
        const start = r.offset
        const key = r.str()
        at = key
        const position = positions.get(key)
        if (position !== undefined) {
          if (values[position] !== unseen) r.malformed(start, "a key comes twice")
          if (nilIsAbsent[position] && r.isNil()) {
            r.nil()
            values[position] = absent
          } else {
            values[position] = readers[position]!(r)
          }
        } else if (readRest !== undefined && rest!.accepts(key)) {
          others ??= new Map()
          if (others.has(key)) r.malformed(start, "a key comes twice")
          others.set(key, readRest(r))
        } else {
          r.skip()
        }
      }
      const out: Record<string, unknown> = {}
      for (let i = 0; i < fields.length; i++) {
        const { name, step } = fields[i]!
        at = name
        let value = values[i]
        if (value === unseen || value === absent) value = step === undefined ? missing[i]!() : absent
        if (step !== undefined) value = step.decode(value)
        if (value !== absent) put(out, name, value)
      }
      if (others !== undefined) for (const [key, value] of others) put(out, key, value)
      return out
    } catch (failure) {
      throw at === undefined ? failure : atKey(failure, at)
    }
  }
}

const unseen = Symbol()

function whenMissing(field: Field, read: Read): () => unknown {
  if (field.optional) return () => absent
  if (field.orUndefined) return () => undefined
  if (isNullable(field.wire)) return () => read(new Reader(nil))
  return () => {
    throw doesNotFit("Missing key")
  }
}

const nil = new Uint8Array([0xc0])

function put(out: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    out[key] = value
  }
}
