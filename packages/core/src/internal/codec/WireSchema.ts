/**
 * How an Effect schema travels as MessagePack: the rules, and the tree of {@link Wire} forms that they yield.
 *
 * A schema travels as its encoded side. `String.pipe(decodeTo(..))`, classes, `encodeKeys`, brands, checks and defaults
 * need no rules of their own: the transformation runs beside the codec, the encoded side is written.
 *
 * | Schema | Written | Also read |
 * |---|---|---|
 * | `String`, template literals | str; a lone surrogate is refused | |
 * | `Boolean` | c2, c3 | |
 * | `Null`, `Void`, `Undefined` | nil | |
 * | `Number`, `Finite`, `F64` | float64 (cb), always | float32, integers up to 2^53 |
 * | `F32` | float32 (ca), always, rounded | float64 (rounded), integers |
 * | `Int`, `U8` .. `I32` | integer, shortest form; -0 is 0 | any form of integer; a float is refused |
 * | `BigInt`, `U64`, `I64` | integer, shortest form, i64::MIN to u64::MAX | any form of integer |
 * | `Uint8Array`, `Transferable.Uint8Array` | bin; between threads beside the bytes, from 16 KiB on or when it is moved | |
 * | `Codec.cloned` | between threads only, beside the bytes | |
 * | `Date`, `DateTimeUtc` | str, RFC 3339 in UTC with milliseconds, years 0000 to 9999 | any offset; any fraction, cut to milliseconds |
 * | `URL` | str | |
 * | `Literal`, `Enum` | the literal's own form | |
 * | `Option(x)`, `NullOr(x)` | nil, or x; x itself must not be nil | as a field: also left out |
 * | `Result(ok, err)` | `{"Ok": ok}` or `{"Err": err}`; a `Void` side is nil, a `Never` side cannot occur | |
 * | `Array`, `NonEmptyArray`, `Tuple`, `TupleWithRest` | array | |
 * | `Struct`, `Class`, `TaggedError` | map with string keys, in schema order; what is absent or undefined is left out | any order; unknown keys skipped; nil for an optional field that has no nil means absent |
 * | `Record(String, v)`, `StructWithRest` with one rest | map with string keys | |
 * | `ReadonlyMap(k, v)`, `HashMap(k, v)` | map, keys of any kind | |
 * | `ReadonlySet`, `HashSet`, `Chunk` | array | |
 * | `Union`, `TaggedUnion` | the form of the first member that admits the value | the first member that reads it |
 * | `suspend` | what it stands for, to a depth of 256 | |
 * | a declaration of yours with a `toCodec` annotation | the form of the schema it links to | |
 *
 * A key of the schema that comes twice is refused. The members of a union are told apart by wire type, then by keys and by literal
 * fields such as tags, and only then by trying; members that look alike on the wire (`Date` beside `String`) are the
 * schema's ambiguity, and the first one wins. An integer is read by an integer member before a float member.
 * Everything else has no rule and is refused when a codec is made, with its path and a hint; so is a transformation of a
 * recursive union whose members look alike, for it would run in memory without a bound (`SchemaCost.ts`). A text that a
 * template literal could be split into in too many ways is refused when it comes (`TemplateCost.ts`).
 */
import type { Step, Steps } from "./SchemaStep.ts"

/** One node of a schema's wire form, with everything that an interpreter or a compiler needs to know of it. */
export type Wire =
  | { readonly _tag: "Nil"; readonly value: null | undefined }
  | { readonly _tag: "Bool" }
  | { readonly _tag: "Str" }
  | BytesWire
  | { readonly _tag: "Never" }
  | { readonly _tag: "Float"; readonly bits: 32 | 64; readonly finite: boolean }
  | { readonly _tag: "Int"; readonly min: number; readonly max: number }
  | { readonly _tag: "BigInt"; readonly min: bigint; readonly max: bigint }
  | { readonly _tag: "Literal"; readonly value: string | number | boolean | bigint }
  | TextWire
  | BesideWire
  | { readonly _tag: "Option"; readonly value: Wire }
  | { readonly _tag: "Result"; readonly ok: Wire; readonly err: Wire }
  | ListWire
  | StructWire
  | CollectionWire
  | MapWire
  | { readonly _tag: "Union"; readonly members: ReadonlyArray<Wire>; readonly oneOf: boolean }
  | LazyWire
  | StepWire

interface BytesWire {
  readonly _tag: "Bytes"
  /** Whether the buffer itself goes to the other thread, and its giver has it no longer. */
  readonly moved: boolean
}

/** What only the structured clone can carry. */
export interface BesideWire {
  readonly _tag: "Beside"
  readonly is: (value: unknown) => boolean
  readonly expected: string
}

/** A value with one spelling as a string. `format` and `parse` give undefined for what has none. */
export interface TextWire {
  readonly _tag: "Text"
  readonly expected: string
  readonly is: (value: unknown) => boolean
  readonly format: (value: never) => string | undefined
  readonly parse: (text: string) => unknown
}

/** `elements`, then any number of `rest`, then `tail`. */
export interface ListWire {
  readonly _tag: "List"
  readonly elements: ReadonlyArray<Wire>
  /** How many of `elements` must be there. */
  readonly required: number
  readonly rest: Wire | undefined
  readonly tail: ReadonlyArray<Wire>
}

export interface StructWire {
  readonly _tag: "Struct"
  readonly fields: ReadonlyArray<Field>
  /** What keys that are no field's hold, where the schema has an index signature. */
  readonly rest: { readonly accepts: (key: string) => boolean; readonly value: Wire } | undefined
}

export interface Field {
  readonly name: string
  readonly wire: Wire
  /** The key may be left out, on the wire and in the value. */
  readonly optional: boolean
  /** The value may be `undefined`, which is left out. */
  readonly orUndefined: boolean
  /** Runs between the value and its wire form where either may be absent: defaults and optional transformations. */
  readonly step: Steps | undefined
}

/** Items in an order of their own that travel as an array. */
export interface CollectionWire {
  readonly _tag: "Collection"
  readonly item: Wire
  /** Whether `from` looks items up by Effect's hash. */
  readonly isHashed: boolean
  readonly is: (value: unknown) => boolean
  readonly items: (value: never) => Iterable<unknown>
  readonly from: (items: ReadonlyArray<unknown>) => unknown
}

export interface MapWire {
  readonly _tag: "Map"
  readonly key: Wire
  readonly value: Wire
  /** Whether `from` looks keys up by Effect's hash. */
  readonly isHashed: boolean
  readonly is: (value: unknown) => boolean
  readonly entries: (value: never) => Iterable<readonly [unknown, unknown]>
  readonly from: (entries: ReadonlyArray<readonly [unknown, unknown]>) => unknown
}

/** A recursive reference. */
export interface LazyWire {
  readonly _tag: "Lazy"
  readonly wire: () => Wire
}

/** `inner` travels; the schema's value is made from what `inner` reads, and `inner` writes what is made from it. */
interface StepWire {
  readonly _tag: "Step"
  readonly inner: Wire
  readonly decode: Step
  readonly encode: Step
  /** Whether both steps return the value they are given: checks. */
  readonly isCheck: boolean
}
