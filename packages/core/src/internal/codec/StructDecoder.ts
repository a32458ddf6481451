/**
 * Reads a struct: first as every encoder writes it, then as anybody may.
 */
import { atKey, doesNotFit } from "../../CodecError.ts"
import { Reader } from "../msgpack/MsgPackReader.ts"
import { written } from "../msgpack/MsgPackWriter.ts"
import { absent } from "./SchemaStep.ts"
import type { Read, ReaderOf } from "./WireDecoder.ts"
import type { Field, StructWire } from "./WireSchema.ts"
import { isNullable, mayBeNil } from "./WireShape.ts"

/**
 * Reads keys in schema order as long as they come in it, which is how every encoder of a struct writes them: without a string for a
 * key, and straight into the value. From the first other key on all is left to `anyOrder`.
 */
export const make = (wire: StructWire, readerOf: ReaderOf): Read => {
  const { fields, rest } = wire
  if (fields.length === 0 && rest !== undefined) return record(rest.accepts, readerOf(rest.value))
  const names = fields.map(({ name }) => name)
  const length = isPlain(wire) ? fields.length : 0
  const keys = names.slice(0, length).map(written)
  const readers = fields.map((field) => readerOf(field.wire))
  const optional = fields.map((field) => field.optional)
  const nilIsAbsent = fields.map((field) => field.optional || field.orUndefined)
  const others = anyOrder(wire, readerOf)
  return (r) => {
    r.enter()
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
    if (left > 0 || i < fields.length) {
      const seen = names.map((name, field) => (field < i && Object.hasOwn(out, name) ? out[name] : unseen))
      return others(r, left, seen)
    }
    r.depth--
    return out
  }
}

/** Whether the fields may be read as they come, without a step between a field and its value. */
export const isPlain = ({ fields }: StructWire): boolean =>
  fields.every(({ name, step }) => step === undefined && name !== "__proto__" && name.isWellFormed())

/** Stands for a field that has not been read. */
export const unseen = Symbol("unseen")

/**
 * Reads the `left` keys that remain of a map, when `values` has the fields that have been read. Goes back the level that
 * the map is.
 */
export const anyOrder = (
  { fields, rest }: StructWire,
  readerOf: ReaderOf
): ((r: Reader, left: number, values: Array<unknown>) => unknown) => {
  const readers = fields.map((field) => readerOf(field.wire))
  const readRest = rest === undefined ? undefined : readerOf(rest.value)
  const positions = new Map(fields.map((field, i) => [field.name, i]))
  // Forms may refer to each other, so their nil-ness is asked for when all are there.
  let missing: ReadonlyArray<() => unknown> | undefined
  let nilIsAbsent: ReadonlyArray<boolean> | undefined
  return (r, count, values) => {
    missing ??= fields.map((field, i) => whenMissing(field, readers[i]!))
    nilIsAbsent ??= fields.map((field) => (field.optional || field.orUndefined) && !mayBeNil(field.wire))
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
      r.depth--
      return out
    } catch (failure) {
      throw at === undefined ? failure : atKey(failure, at)
    }
  }
}

/** A struct without fields of its own. */
function record(accepts: (key: string) => boolean, read: Read): Read {
  return (r) => {
    r.enter()
    const out: Record<string, unknown> = {}
    let at: string | undefined
    try {
      for (let left = r.mapHeader(); left > 0; left--) {
        at = undefined
        const start = r.offset
        const key = r.str()
        at = key
        if (!accepts(key)) r.skip()
        else if (Object.hasOwn(out, key)) r.malformed(start, "a key comes twice")
        else put(out, key, read(r))
      }
    } catch (failure) {
      throw at === undefined ? failure : atKey(failure, at)
    }
    r.depth--
    return out
  }
}

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
