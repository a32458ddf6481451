/**
 * Chooses the member of a union that reads a value: by the class of its first byte, then by the keys and literal fields
 * of a map, and only then by trying one after the other. What is read in vain is paid for from the reader's fuel, so
 * that no bytes make a recursive union cost more than a multiple of their length.
 */
import { CodecFailure, doesNotFit, quoted } from "../../CodecError.ts"
import { isA } from "../../Foreign.ts"
import { WireClass } from "../msgpack/MsgPackFormat.ts"
import type { Reader } from "../msgpack/MsgPackReader.ts"
import type { Read } from "./WireDecoder.ts"
import type { Wire } from "./WireSchema.ts"
import { classesOf, isNullable, literalOf, structOf } from "./WireShape.ts"

/** The reading function of a union; `readerOf` gives the one of a member. */
export const make = (members: ReadonlyArray<Wire>, oneOf: boolean, readerOf: (wire: Wire) => Read): Read => {
  const words = wordsOf(members)
  if (words !== undefined) return oneOfWords(words)
  // Members may be recursive references, so they are looked at when the first value comes.
  let all: ReadonlyArray<Candidate> | undefined
  const byClass: Array<ReadonlyArray<Candidate> | undefined> = Object.values(WireClass).map(() => undefined)
  const candidates = (wireClass: number): ReadonlyArray<Candidate> => {
    const bit = 31 - Math.clz32(wireClass)
    let found = byClass[bit]
    if (found === undefined) {
      all ??= members.map((member) => candidate(member, readerOf(member)))
      found = all.filter(({ classes }) => (classes & wireClass) !== 0)
      if (wireClass === WireClass.int) found = found.toSorted((a, b) => floats(a) - floats(b))
      byClass[bit] = found
    }
    return found
  }
  return (r) => {
    const wireClass = r.wireClass()
    let fitting = candidates(wireClass)
    if (fitting.length > 1 && wireClass === WireClass.map) fitting = narrow(fitting, r)
    if (fitting.length === 1) return fitting[0]!.read(r)
    if (fitting.length === 0) return r.malformed(r.offset, "no member of the union is written like this value")
    return tryEach(fitting, r, oneOf)
  }
}

/** The strings of a union that is nothing but different ones. */
function wordsOf(members: ReadonlyArray<Wire>): ReadonlySet<string> | undefined {
  const words = new Set<string>()
  for (const member of members) {
    if (member._tag !== "Literal" || typeof member.value !== "string") return undefined
    words.add(member.value)
  }
  return words.size === members.length ? words : undefined
}

function oneOfWords(words: ReadonlySet<string>): Read {
  const expected = Array.from(words, (word) => JSON.stringify(word)).join(" or ")
  return (r) => {
    const word = r.str()
    if (!words.has(word)) throw doesNotFit(`Expected ${expected}, got ${quoted(word)}`)
    return word
  }
}

interface Candidate {
  readonly read: Read
  readonly classes: number
  readonly keys: Keys | undefined
}

/** What a map must have for a struct to read it. */
interface Keys {
  readonly required: ReadonlyArray<string>
  /** Those among the required that a guest may leave out instead of writing nil. */
  readonly nullable: ReadonlySet<string>
  readonly literals: ReadonlyMap<string, string | number | boolean | bigint>
}

function candidate(wire: Wire, read: Read): Candidate {
  const struct = structOf(wire)
  if (struct === undefined) return { read, classes: classesOf(wire), keys: undefined }
  const required = struct.fields.filter((field) => !field.optional && !field.orUndefined)
  const nullable = required.filter((field) => isNullable(field.wire)).map(({ name }) => name)
  const literals = required.flatMap(({ name, wire }) => {
    const literal = literalOf(wire)
    if (literal === undefined || (typeof literal === "number" && !Number.isSafeInteger(literal))) return []
    return [[name, literal] as const]
  })
  return {
    read,
    classes: classesOf(wire),
    keys: { required: required.map(({ name }) => name), nullable: new Set(nullable), literals: new Map(literals) }
  }
}

function floats({ classes }: Candidate): number {
  return (classes & WireClass.float) === 0 ? 0 : 1
}

/** Drops the structs that the map at the offset cannot be, looking no further than it must. Moves nothing. */
function narrow(candidates: ReadonlyArray<Candidate>, r: Reader): ReadonlyArray<Candidate> {
  const start = r.offset
  const present = new Set<string>()
  let alive = candidates
  const count = r.mapHeader()
  for (let i = 0; i < count && alive.length > 1; i++) {
    if (r.wireClass() !== WireClass.str) break
    const key = r.str()
    present.add(key)
    if (alive.some(({ keys }) => keys?.literals.has(key))) {
      const scalar = readScalar(r)
      alive = alive.filter(({ keys }) => {
        const literal = keys?.literals.get(key)
        return (
          literal === undefined || literal === scalar || (typeof literal === "number" && BigInt(literal) === scalar)
        )
      })
    } else if (i < count - 1) {
      r.skip()
    }
  }
  r.spend(r.offset - start)
  r.offset = start
  if (alive.length < 2) return alive
  const strict = alive.filter(({ keys }) => keys?.required.every((key) => present.has(key)) ?? true)
  if (strict.length > 0) return strict
  return alive.filter(({ keys }) => keys!.required.every((key) => present.has(key) || keys!.nullable.has(key)))
}

function readScalar(r: Reader): string | boolean | bigint | undefined {
  switch (r.wireClass()) {
    case WireClass.str:
      return r.str()
    case WireClass.bool:
      return r.bool()
    case WireClass.int:
      return r.bigInt()
    default:
      r.skip()
      return undefined
  }
}

function tryEach(candidates: ReadonlyArray<Candidate>, r: Reader, oneOf: boolean): unknown {
  const { depth, offset: start } = r
  let furthest = start - 1
  let failure: CodecFailure | undefined
  let found: { readonly value: unknown; readonly end: number } | undefined
  for (const { read } of candidates) {
    try {
      const value = read(r)
      if (!oneOf) return value
      if (found !== undefined) throw new CodecFailure({ _tag: "DoesNotFit", message: twice, final: true })
      found = { value, end: r.offset }
    } catch (thrown) {
      if (!isA(thrown, CodecFailure) || !thrown.isMismatch) throw thrown
      // The member that came furthest is most likely the one that was meant.
      if (r.offset > furthest) failure = thrown
    }
    // Members pay together, as much as one that reads furthest: how many there are is the schema's doing.
    if (r.offset > furthest) {
      r.spend(r.offset - furthest - 1)
      furthest = r.offset
    }
    r.offset = start
    r.depth = depth
  }
  if (found === undefined) throw failure ?? doesNotFit("Expected a member of the union")
  r.offset = found.end
  return found.value
}

const twice = "Expected exactly one member of the union to match"
