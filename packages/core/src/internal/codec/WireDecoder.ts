/**
 * Interprets a wire form as a function that reads it: from bytes to the schema's value in one pass.
 *
 * What is read is checked as it is read; transformations and checks of the schema run at their node, so that a union
 * can still try its next member. Functions are made once per form.
 */
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { atKey, doesNotFit } from "../../CodecError.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import { written } from "../msgpack/MsgPackWriter.ts"
import * as StructDecoder from "./StructDecoder.ts"
import * as UnionDecoder from "./UnionDecoder.ts"
import type { ListWire, MapWire, Wire } from "./WireSchema.ts"

/** Reads one value at the reader's offset, or throws a `CodecFailure`. */
export type Read = (reader: Reader) => unknown

/** Gives the reading function of a part of a form. */
export type ReaderOf = (wire: Wire) => Read

const made = new WeakMap<Wire, Read>()

/** The reading function of a form, all of it interpreted. */
export const reader: ReaderOf = (wire) => {
  let read = made.get(wire)
  if (read === undefined) made.set(wire, (read = interpret(wire, reader)))
  return read
}

/** The reading function of a form whose parts are read by what `reader` gives. */
export const interpret = (wire: Wire, reader: ReaderOf): Read => {
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
      return list(wire, reader)
    case "Collection": {
      const item = reader(wire.item)
      return nested((r) => {
        const all = items(r, r.arrayHeader(), item)
        if (wire.isHashed) payForHashes(new Set(all), r)
        return wire.from(all)
      })
    }
    case "Map":
      return nested(map(wire, reader))
    case "Struct":
      return StructDecoder.make(wire, reader)
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
    r.enter()
    const value = read(r)
    r.depth--
    return value
  }
}

/** A float as its form has it, or a failure. */
export const float = (value: number, bits: 32 | 64, finite: boolean): number => {
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

export const outside = (value: number | bigint, min: number | bigint, max: number | bigint) =>
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

function list(wire: ListWire, reader: ReaderOf): Read {
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
    r.enter()
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
      for (i = roomy && !finite ? r.float64s(out) : 0; i < count; i++) {
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

function map(wire: MapWire, reader: ReaderOf): Read {
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
    if (wire.isHashed) payForHashes(seen, r)
    return wire.from(entries)
  }
}

/** Effect's hash has no secret, so keys can be made to have one hash: each is compared with those before it. */
function payForHashes(keys: ReadonlySet<unknown>, r: Reader): void {
  const counts = new Map<number, number>()
  for (const key of keys) {
    const hash = Hash.hash(key)
    const count = counts.get(hash) ?? 0
    r.spend(count, "too many keys have one hash")
    counts.set(hash, count + 1)
  }
}
