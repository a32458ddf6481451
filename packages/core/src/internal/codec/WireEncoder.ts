/**
 * Interprets a wire form as a function that writes it: from the schema's value to bytes in one pass.
 *
 * Values are checked as they are written, so that a guest never sees one that its types do not admit.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { atKey, doesNotFit, mismatch } from "../../CodecError.ts"
import { type Writer, written } from "../msgpack/MsgPackWriter.ts"
import { enter, nested } from "./Nesting.ts"
import * as StructEncoder from "./StructEncoder.ts"
import * as UnionEncoder from "./UnionEncoder.ts"
import type { ListWire, MapWire, Wire } from "./WireSchema.ts"

/** Appends one value, or throws a `CodecFailure` and leaves a part of it behind. */
export type Write = (value: unknown, writer: Writer) => void

/** Gives the writing function of a part of a form. */
export type WriterOf = (wire: Wire) => Write

const made = new WeakMap<Wire, Write>()

/** The writing function of a form, all of it interpreted. */
export const writer: WriterOf = (wire) => {
  let write = made.get(wire)
  if (write === undefined) made.set(wire, (write = interpret(wire, writer)))
  return write
}

/** The writing function of a form whose parts are written by what `writer` gives. */
export const interpret = (wire: Wire, writer: WriterOf): Write => {
  switch (wire._tag) {
    case "Nil":
      return (value, w) => {
        if (value !== wire.value) mismatch(String(wire.value), value)
        w.nil()
      }
    case "Bool":
      return (value, w) => w.bool(typeof value === "boolean" ? value : mismatch("boolean", value))
    case "Str":
      return (value, w) => w.str(typeof value === "string" ? value : mismatch("string", value))
    case "Bytes":
      return wire.moved
        ? (value, w) => w.moved(value instanceof Uint8Array ? value : mismatch("Uint8Array", value))
        : (value, w) => w.bin(value instanceof Uint8Array ? value : mismatch("Uint8Array", value))
    case "Beside":
      return (value, w) => w.cloned(wire.is(value) ? value : mismatch(wire.expected, value))
    case "Never":
      return (value) => mismatch("no value", value)
    case "Float":
      return float(wire.bits, wire.finite)
    case "Int":
      return int(wire.min, wire.max)
    case "BigInt":
      return bigInt(wire.min, wire.max)
    case "Literal":
      return literal(wire.value)
    case "Text":
      return (value, w) => {
        const text = wire.is(value) ? wire.format(value as never) : undefined
        w.str(text ?? mismatch(wire.expected, value))
      }
    case "Option": {
      const write = writer(wire.value)
      return (value, w) => {
        if (!Option.isOption(value)) mismatch("Option", value)
        else if (Option.isNone(value)) w.nil()
        else write(value.value, w)
      }
    }
    case "Result":
      return nested(result(writer(wire.ok), writer(wire.err)))
    case "List":
      return list(wire, writer)
    case "Collection": {
      const write = writer(wire.item)
      return nested((value, w) => {
        if (!wire.is(value)) mismatch("a collection", value)
        items([...wire.items(value as never)], w, write)
      })
    }
    case "Map":
      return nested(map(wire, writer))
    case "Struct":
      return StructEncoder.make(wire, writer)
    case "Union":
      return UnionEncoder.make(wire.members, wire.oneOf, writer)
    case "Step": {
      const { encode } = wire
      const inner = writer(wire.inner)
      return (value, w) => inner(encode(value), w)
    }
    case "Lazy": {
      let write: Write | undefined
      return nested((value, w) => (write ??= writer(wire.wire()))(value, w))
    }
  }
}

function float(bits: 32 | 64, finite: boolean): Write {
  return (value, w) => {
    if (typeof value !== "number") return mismatch("number", value)
    if (finite && !Number.isFinite(value)) throw notFinite()
    if (bits === 64) return w.float64(value)
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
      throw doesNotFit("Expected a number within the range of f32")
    }
    w.float32(value)
  }
}

export const notFinite = () => doesNotFit("Expected a finite number")

function int(min: number, max: number): Write {
  if (min === Number.MIN_SAFE_INTEGER && max === Number.MAX_SAFE_INTEGER) {
    return (value, w) => {
      if (typeof value !== "number" || !Number.isSafeInteger(value)) return mismatch("an integer", value)
      w.int(value)
    }
  }
  return (value, w) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value)) return mismatch("an integer", value)
    if (value < min || value > max) throw outside(min, max)
    w.int(value)
  }
}

function bigInt(min: bigint, max: bigint): Write {
  return (value, w) => {
    if (typeof value !== "bigint") return mismatch("bigint", value)
    if (value < min || value > max) throw outside(min, max)
    w.bigInt(value)
  }
}

export const outside = (min: number | bigint, max: number | bigint) =>
  doesNotFit(`Expected an integer from ${min} to ${max}`)

function literal(expected: string | number | boolean | bigint): Write {
  const shown = typeof expected === "string" ? JSON.stringify(expected) : String(expected)
  const write: (w: Writer) => void =
    typeof expected === "string"
      ? (w) => w.str(expected)
      : typeof expected === "boolean"
        ? (w) => w.bool(expected)
        : typeof expected === "bigint"
          ? (w) => w.bigInt(expected)
          : Number.isSafeInteger(expected)
            ? (w) => w.int(expected)
            : (w) => w.float64(expected)
  return (value, w) => (value === expected ? write(w) : mismatch(shown, value))
}

function result(ok: Write, err: Write): Write {
  return (value, w) => {
    if (!Result.isResult(value)) return mismatch("Result", value)
    const key = Result.isSuccess(value) ? "Ok" : "Err"
    w.mapHeader(1)
    w.raw(Result.isSuccess(value) ? okKey : errKey)
    try {
      if (Result.isSuccess(value)) ok(value.success, w)
      else err(value.failure, w)
    } catch (failure) {
      throw atKey(failure, key)
    }
  }
}

const okKey = written("Ok")
const errKey = written("Err")

function list(wire: ListWire, writer: WriterOf): Write {
  const elements = wire.elements.map(writer)
  const rest = wire.rest === undefined ? undefined : writer(wire.rest)
  const tail = wire.tail.map(writer)
  const all = wire.rest?._tag === "Float" && wire.rest.bits === 64 ? floats(wire.rest.finite) : items
  const least = wire.required + tail.length
  return (value, w) => {
    if (!Array.isArray(value)) return mismatch("array", value)
    const count = value.length
    if (count < least || (rest === undefined && count > elements.length)) {
      throw doesNotFit(`Expected an array of ${rest === undefined ? elements.length : `${least} or more`} items`)
    }
    enter(w)
    const tailStart = count - tail.length
    if (elements.length === 0 && tail.length === 0) all(value, w, rest!)
    else mixed(value, w, (i) => (i < elements.length ? elements[i]! : i < tailStart ? rest! : tail[i - tailStart]!))
    w.depth--
  }
}

function items(values: ReadonlyArray<unknown>, w: Writer, write: Write): void {
  // A getter of an item may change how many there are.
  const count = values.length
  let i = 0
  w.arrayHeader(count)
  try {
    for (; i < count; i++) write(values[i], w)
  } catch (failure) {
    throw atKey(failure, i)
  }
}

/** As `items`, without a call for each, where there is room for all of them. */
function floats(finite: boolean): typeof items {
  return (values, w, write) => {
    const count = values.length
    if (count * 9 + 5 > w.room) return items(values, w, write)
    let i = 0
    w.arrayHeader(count)
    let at = w.advance(count * 9)
    const { bytes, view } = w
    try {
      for (; i < count; i++, at += 9) {
        const value = values[i]
        if (typeof value !== "number") return mismatch("number", value)
        if (finite && !Number.isFinite(value)) throw notFinite()
        bytes[at] = 0xcb
        view.setFloat64(at + 1, value)
      }
    } catch (failure) {
      throw atKey(failure, i)
    }
  }
}

function mixed(values: ReadonlyArray<unknown>, w: Writer, writerAt: (index: number) => Write): void {
  const count = values.length
  let i = 0
  w.arrayHeader(count)
  try {
    for (; i < count; i++) writerAt(i)(values[i], w)
  } catch (failure) {
    throw atKey(failure, i)
  }
}

function map(wire: MapWire, writer: WriterOf): Write {
  const writeKey = writer(wire.key)
  const writeValue = writer(wire.value)
  return (value, w) => {
    if (!wire.is(value)) return mismatch("a map", value)
    const entries = [...wire.entries(value as never)]
    let at: PropertyKey = 0
    w.mapHeader(entries.length)
    try {
      for (let i = 0; i < entries.length; i++) {
        const [key, item] = entries[i]!
        at = typeof key === "string" || typeof key === "number" ? key : typeof key === "bigint" ? String(key) : i
        writeKey(key, w)
        writeValue(item, w)
      }
    } catch (failure) {
      throw atKey(failure, at)
    }
  }
}
