/**
 * Builds the wire form of a schema from its AST, by the rules written down in `WireSchema.ts`.
 *
 * Forms are built once per AST and kept as long as it lives. What has no rule is refused here, with its path.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaParser from "effect/SchemaParser"
import { CodecFailure } from "../../CodecError.ts"
import * as Primitive from "../../Primitive.ts"
import * as SchemaCost from "./SchemaCost.ts"
import * as SchemaStep from "./SchemaStep.ts"
import * as TemplateCost from "./TemplateCost.ts"
import { type Build, declarationHint, fromDeclaration, isMoved } from "./WireDeclaration.ts"
import type { Field, LazyWire, ListWire, StructWire, Wire } from "./WireSchema.ts"
import { admits, mayBeNil } from "./WireShape.ts"

/** The wire form of a schema. Throws a `CodecFailure` with reason `Unsupported` where a part has no rule. */
export const build = (ast: SchemaAST.AST): Wire => {
  const builder = new Builder()
  const wire = builder.visit(ast, [])
  builder.finish()
  return wire
}

const known = new WeakMap<SchemaAST.AST, Wire>()
/**
 * Recursive references that are followed to look for parts without a rule. The encoded side of a recursive schema may
 * unfold to fresh nodes for ever; what lies further is built when a value reaches it.
 */
const maxReferences = 500

class Builder {
  private readonly built = new Map<SchemaAST.AST, Wire>()
  private readonly references: Array<() => void> = []
  private readonly laws: Array<() => void> = []

  visit(ast: SchemaAST.AST, path: Path): Wire {
    const found = known.get(ast) ?? this.built.get(ast)
    if (found !== undefined) return found
    const wire = this.form(ast, path)
    this.built.set(ast, wire)
    return wire
  }

  /** Follows recursive references and checks what needs the whole tree; only then are the forms kept. */
  finish(): void {
    for (let i = 0; i < this.references.length && i < maxReferences; i++) this.references[i]!()
    // Looking at references may build more of an endless schema, and with it more laws.
    for (const law of this.laws.slice()) law()
    for (const [ast, wire] of this.built) known.set(ast, wire)
  }

  private form(ast: SchemaAST.AST, path: Path): Wire {
    if (isMoved(ast)) return withChecks(ast, { _tag: "Bytes", moved: true })
    if (ast.encoding !== undefined) {
      // Middleware wraps the decoding of the source, which therefore happens in memory.
      if (ast.encoding.some(({ transformation }) => transformation._tag === "Middleware")) {
        return this.encodedSide(ast, path)
      }
      this.inMemory(ast, false, path)
      const source = ast.encoding[ast.encoding.length - 1]!.to
      return { _tag: "Step", inner: this.visit(source, path), ...SchemaStep.transformation(ast), isCheck: false }
    }
    // Checks on the encoded side of a composite (Schema.flip) need that side in memory.
    if ("encodingChecks" in ast && ast.encodingChecks !== undefined) return this.encodedSide(ast, path)
    return withChecks(ast, this.unchecked(ast, path))
  }

  private encodedSide(ast: SchemaAST.AST, path: Path): Wire {
    this.inMemory(ast, true, path)
    return { _tag: "Step", inner: this.visit(SchemaAST.toEncoded(ast), path), ...SchemaStep.whole(ast), isCheck: false }
  }

  private unchecked(ast: SchemaAST.AST, path: Path): Wire {
    switch (ast._tag) {
      case "Null":
        return { _tag: "Nil", value: null }
      case "Void":
      case "Undefined":
        return { _tag: "Nil", value: undefined }
      case "String":
        return { _tag: "Str" }
      case "TemplateLiteral":
        return checked({ _tag: "Str" }, template(ast))
      case "Boolean":
        return { _tag: "Bool" }
      case "Number":
      case "BigInt":
        return number(ast)
      case "Literal":
        return { _tag: "Literal", value: ast.literal }
      case "Enum":
        return union(
          ast.enums.map(([, value]) => ({ _tag: "Literal", value })),
          false
        )
      case "Declaration": {
        const build: Build = (parameter, key, allowNever) =>
          allowNever === true && SchemaAST.isNever(parameter)
            ? { _tag: "Never" }
            : this.visit(parameter, key === undefined ? path : [...path, key])
        const wire = fromDeclaration(ast, build)
        if (wire === undefined) return refuse(path, `${title(ast)}: ${declarationHint(ast)}`)
        if (wire._tag === "Option") this.atMostNil(0, [wire.value], path, "The value of an Option may be nil itself")
        return wire
      }
      case "Arrays":
        return this.list(ast, path)
      case "Objects":
        return this.struct(ast, path)
      case "Union":
        return this.union(ast.types, ast.options?.mode === "oneOf", path)
      case "Suspend": {
        const wire: LazyWire = { _tag: "Lazy", wire: once(() => this.visit(ast.thunk(), path)) }
        this.references.push(wire.wire)
        return wire
      }
      case "Unknown":
      case "Any":
      case "ObjectKeyword":
        return refuse(
          path,
          `${title(ast)} says nothing of what travels. Name its schema, carry a Uint8Array, or, between threads only, use Codec.cloned.`
        )
      case "Never":
        return refuse(path, "Never has no values. It may stand only as a side of a Result.")
      case "Symbol":
      case "UniqueSymbol":
        return refuse(path, "A symbol means nothing outside its thread. Use a string literal.")
    }
  }

  private list(ast: SchemaAST.Arrays, path: Path): Wire {
    if (ast.elements.some(hasOptionalEncoding)) return this.encodedSide(ast, path)
    const visit = (element: SchemaAST.AST, i: number) => this.visit(element, [...path, i])
    const required = ast.elements.findIndex(SchemaAST.isOptional)
    const list: ListWire = {
      _tag: "List",
      elements: ast.elements.map(visit),
      required: required < 0 ? ast.elements.length : required,
      rest: ast.rest[0] === undefined ? undefined : visit(ast.rest[0], ast.elements.length),
      tail: ast.rest.slice(1).map((element, i) => visit(element, ast.elements.length + 1 + i))
    }
    return list
  }

  private struct(ast: SchemaAST.Objects, path: Path): Wire {
    if (ast.indexSignatures.length > 1) {
      return refuse(path, "More than one index signature: which one a key belongs to is not written. Use one Record.")
    }
    const signature = ast.indexSignatures[0]
    if (signature !== undefined && signature.parameter.encoding !== undefined) return this.encodedSide(ast, path)
    if (signature?.parameter._tag === "Symbol") return refuse(path, "Symbols cannot be keys. Use strings.")
    const struct: StructWire = {
      _tag: "Struct",
      fields: ast.propertySignatures.map((property) => this.field(property, path)),
      rest:
        signature === undefined
          ? undefined
          : {
              accepts: keyTest(signature.parameter),
              value: this.visit(signature.type, [...path, "*"])
            }
    }
    return struct
  }

  private field(property: SchemaAST.PropertySignature, parent: Path): Field {
    const path = [...parent, property.name]
    if (typeof property.name === "symbol") return refuse(path, "Symbols cannot be keys. Use strings.")
    const name = String(property.name)
    if (hasOptionalEncoding(property.type)) {
      this.inMemory(property.type, true, path)
      const plain = new SchemaAST.PropertySignature(name, SchemaAST.toEncoded(property.type))
      return { ...this.field(plain, parent), step: SchemaStep.optional(property.type) }
    }
    const optional = SchemaAST.isOptional(property.type)
    const type = property.type
    if (type._tag !== "Union" || type.encoding !== undefined || type.checks !== undefined || isFlipped(type)) {
      return { name, wire: this.visit(type, path), optional, orUndefined: type._tag === "Undefined", step: undefined }
    }
    const members = type.types.filter((member) => !SchemaAST.isUndefined(member) || member.encoding !== undefined)
    const wire =
      members.length === type.types.length
        ? this.visit(type, path)
        : this.union(members, type.options?.mode === "oneOf", path)
    return { name, wire, optional, orUndefined: members.length < type.types.length, step: undefined }
  }

  private union(types: ReadonlyArray<SchemaAST.AST>, oneOf: boolean, path: Path): Wire {
    const members = types.filter((type) => !SchemaAST.isNever(type)).map((type) => this.visit(type, path))
    if (members.length === 0) return refuse(path, "A union without members has no values.")
    this.atMostNil(1, members, path, "More than one member of the union may be nil")
    return union(members, oneOf)
  }

  /** Refuses what hostile bytes could make run for ever beside the reader, which bounds only itself. */
  private inMemory(ast: SchemaAST.AST, whole: boolean, path: Path): void {
    this.laws.push(() => {
      if (!SchemaCost.isExponential(ast, whole)) return
      refuse(path, "A transformation holds a recursive union whose members look alike. Give them a literal tag field.")
    })
  }

  /** One nil can say one thing only. Looked at when all forms are there, for references point anywhere. */
  private atMostNil(limit: number, wires: ReadonlyArray<Wire>, path: Path, what: string): void {
    this.laws.push(() => {
      if (wires.filter(mayBeNil).length > limit) {
        refuse(path, `${what}, and one nil cannot mean both. Wrap one of them in a struct.`)
      }
    })
  }
}

type Path = ReadonlyArray<PropertyKey>

function refuse(path: Path, hint: string): never {
  const failure = new CodecFailure({ _tag: "Unsupported", hint })
  failure.path.push(...path.toReversed())
  throw failure
}

function number(ast: SchemaAST.Number | SchemaAST.BigInt): Wire {
  const kind = Primitive.kindOf(ast)
  if (ast._tag === "BigInt") {
    const [min, max] =
      kind === "u64" || kind === "i64"
        ? Primitive.bigIntRange[kind]
        : [Primitive.bigIntRange.i64[0], Primitive.bigIntRange.u64[1]]
    return { _tag: "BigInt", min, max }
  }
  if (kind === undefined) return { _tag: "Int", min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }
  if (kind === "f32" || kind === "f64" || kind === "bool" || kind === "i64" || kind === "u64") {
    return { _tag: "Float", bits: kind === "f32" ? 32 : 64, finite: isFinite(ast.checks) }
  }
  const [min, max] = Primitive.intRange[kind]
  return { _tag: "Int", min, max }
}

function isFinite(checks: SchemaAST.Checks | undefined): boolean {
  return checks?.some(({ annotations }) => annotations?.representation?.id === "effect/schema/isFinite") ?? false
}

/** Leaves out the checks that the form makes itself, and runs the others beside it. */
function withChecks(ast: SchemaAST.AST, wire: Wire): Wire {
  if (ast.checks === undefined) return wire
  const own = Primitive.ownChecks(ast)
  const others = ast.checks.slice(own).filter(({ annotations }) => {
    const id = annotations?.representation?.id
    if (id === "effect/schema/isInt") return wire._tag !== "Int"
    if (id === "effect/schema/isFinite") return wire._tag !== "Int" && wire._tag !== "Float"
    return true
  })
  if (others.length === 0) return wire
  return checked(
    wire,
    SchemaStep.checking(ast, others as never, (value) => admits(wire, value))
  )
}

function checked(inner: Wire, step: SchemaStep.Step): Wire {
  return { _tag: "Step", inner, decode: step, encode: step, isCheck: true }
}

function template(ast: SchemaAST.TemplateLiteral): SchemaStep.Step {
  const step = SchemaStep.whole(SchemaStep.copyWith(ast, { checks: undefined })).decode
  return (value) => {
    if (typeof value === "string") TemplateCost.check(ast, value)
    return step(value)
  }
}

function union(members: ReadonlyArray<Wire>, oneOf: boolean): Wire {
  return members.length === 1 ? members[0]! : { _tag: "Union", members, oneOf }
}

function keyTest(parameter: SchemaAST.AST): (key: string) => boolean {
  if (parameter._tag === "String" && parameter.checks === undefined) return () => true
  const is = SchemaParser.is(Schema.make<Schema.Constraint>(parameter))
  if (parameter._tag === "TemplateLiteral") {
    return (key) => {
      TemplateCost.check(parameter, key)
      return is(key)
    }
  }
  if (parameter._tag !== "Number") return is
  return (key) => String(Number(key)) === key && is(Number(key))
}

/** Whether a transformed part may be absent on either side, so that its transformation must see absence. */
function hasOptionalEncoding(ast: SchemaAST.AST): boolean {
  if (ast.encoding === undefined) return false
  let end: SchemaAST.AST = ast
  while (end.encoding !== undefined) {
    if (SchemaAST.isOptional(end)) return true
    end = end.encoding[end.encoding.length - 1]!.to
  }
  return SchemaAST.isOptional(end)
}

function isFlipped(ast: SchemaAST.AST): boolean {
  return "encodingChecks" in ast && ast.encodingChecks !== undefined
}

function once(make: () => Wire): () => Wire {
  let wire: Wire | undefined
  return () => (wire ??= make())
}

function title(ast: SchemaAST.AST): string {
  const annotations = ast.annotations
  for (const name of [annotations?.identifier, annotations?.title, annotations?.expected]) {
    if (typeof name === "string") return name
  }
  return ast._tag
}
