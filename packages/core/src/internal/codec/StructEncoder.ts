/**
 * Writes a struct: keys in schema order, without those that are absent.
 */
import { atKey, mismatch } from "../../CodecError.ts"
import { written } from "../msgpack/MsgPackWriter.ts"
import { enter, nested } from "./Nesting.ts"
import { absent } from "./SchemaStep.ts"
import type { Write, WriterOf } from "./WireEncoder.ts"
import type { Field, StructWire } from "./WireSchema.ts"
import { fieldValue, isRecord } from "./WireShape.ts"

/** Structs whose fields are written as they are found take their keys from `keys`; the others go through `inSteps`. */
export const make = (wire: StructWire, writer: WriterOf): Write => {
  const { fields, rest } = wire
  const writers = fields.map((field) => writer(field.wire))
  if (fields.length === 0 && rest !== undefined) return record(rest.accepts, writer(rest.value))
  const special = ({ name, step }: Field) => step !== undefined || !name.isWellFormed()
  if (rest !== undefined || fields.length > 15 || fields.some(special)) return inSteps(wire, writers, writer)
  const keys = fields.map(({ name }) => written(name))
  const inherited = fields.map(({ name }) => name in Object.prototype)
  const mayBeLeftOut = fields.map((field) => field.optional || field.orUndefined)
  return (value, w) => {
    enter(w)
    if (!isRecord(value)) return mismatch("object", value)
    let i = -1
    let count = 0
    try {
      const start = w.size
      w.mapHeader(fields.length)
      for (i = 0; i < fields.length; i++) {
        const { name } = fields[i]!
        let found = (value as Record<string, unknown>)[name]
        if (found === undefined || inherited[i]) {
          if (inherited[i] && !Object.hasOwn(value, name)) found = undefined
          if (found === undefined && mayBeLeftOut[i]) continue
        }
        count++
        w.raw(keys[i]!)
        writers[i]!(found, w)
      }
      if (count < fields.length) w.patchMapHeader(start, count)
    } catch (failure) {
      throw i < 0 ? failure : atKey(failure, fields[i]!.name)
    }
    w.depth--
  }
}

/** A struct without fields of its own. */
function record(accepts: (key: string) => boolean, write: Write): Write {
  return nested((value, w) => {
    if (!isRecord(value)) return mismatch("object", value)
    const keys = Object.keys(value).filter(accepts)
    w.mapHeader(keys.length)
    for (const key of keys) {
      try {
        w.str(key)
        write((value as Record<string, unknown>)[key], w)
      } catch (failure) {
        throw atKey(failure, key)
      }
    }
  })
}

/** Fields of which some are transformed where they may be absent, or that others may follow. */
function inSteps({ fields, rest }: StructWire, writers: ReadonlyArray<Write>, writer: WriterOf): Write {
  const names = new Set(fields.map(({ name }) => name))
  const writeRest = rest === undefined ? undefined : writer(rest.value)
  return nested((value, w) => {
    if (!isRecord(value)) return mismatch("object", value)
    let at: string | undefined
    try {
      const values: Array<unknown> = []
      let count = 0
      for (const field of fields) {
        at = field.name
        let found = fieldValue(field, value)
        if (field.step !== undefined) found = field.step.encode(found)
        if (found === undefined && (field.optional || field.orUndefined)) found = absent
        values.push(found)
        if (found !== absent) count++
      }
      const others = rest === undefined ? [] : Object.keys(value).filter((key) => !names.has(key) && rest.accepts(key))
      w.mapHeader(count + others.length)
      for (let i = 0; i < fields.length; i++) {
        if (values[i] === absent) continue
        at = fields[i]!.name
        w.str(at)
        writers[i]!(values[i], w)
      }
      for (at of others) {
        w.str(at)
        writeRest!((value as Record<string, unknown>)[at], w)
      }
    } catch (failure) {
      throw at === undefined ? failure : atKey(failure, at)
    }
  })
}
