/**
 * Finds schemas whose transformations hostile bytes could make run for ever.
 *
 * What reads bytes pays for every union member that it tries in vain. A transformation runs in memory, where Effect's
 * parser tries members for free: a union that contains itself, with members that are told apart only after their
 * recursive part, doubles the work with each level. Such a schema is refused under a transformation.
 */
import * as SchemaAST from "effect/SchemaAST"

/** Whether the part of `ast` that runs in memory may take exponential time; `whole` says that its source is a part. */
export const isExponential = (ast: SchemaAST.AST, whole: boolean): boolean => {
  const sources = ast.encoding?.map(({ to }) => to) ?? []
  const roots = [...parts(ast), ...(whole ? sources : sources.slice(0, -1))]
  const all = Array.from(nodes(new Set(roots)))
  const anyKeys = [ast, ...all].some(isParsed)
  return all.some(
    (node) => SchemaAST.isUnion(node) && isAmbiguous(node, anyKeys) && reaches(node.types, (it) => it === node)
  )
}

/** Whether it is parsed from a text or the like, where a value may have the keys of several members: what is read has those of one. */
function isParsed(ast: SchemaAST.AST): boolean {
  const chain = [ast, ...(ast.encoding?.map(({ to }) => to) ?? [])]
  return chain.some((to, i) => i > 0 && !isComposite(to) && isComposite(chain[i - 1]!))
}

function isComposite(ast: SchemaAST.AST): boolean {
  return SchemaAST.isObjects(ast) || SchemaAST.isArrays(ast) || SchemaAST.isUnion(ast) || SchemaAST.isSuspend(ast)
}

/** A schema may unfold to fresh nodes for ever, as the encoded sides of recursive ones do: it counts as recursive. */
function reaches(roots: ReadonlyArray<SchemaAST.AST>, isTarget: (node: SchemaAST.AST) => boolean): boolean {
  const seen = new Set(roots)
  for (const node of nodes(seen)) if (isTarget(node)) return true
  return seen.size > maxNodes
}

const maxNodes = 2_000

/** Everything that is reachable from `seen`, which grows while it is iterated. */
function* nodes(seen: Set<SchemaAST.AST>): Generator<SchemaAST.AST> {
  for (const node of seen) {
    yield node
    if (seen.size > maxNodes) return
    for (const link of node.encoding ?? []) seen.add(link.to)
    for (const part of parts(node)) seen.add(part)
  }
}

function parts(ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> {
  switch (ast._tag) {
    case "Arrays":
      return [...ast.elements, ...ast.rest]
    case "Objects":
      return [...ast.propertySignatures, ...ast.indexSignatures].map(({ type }) => type)
    case "Union":
      return ast.types
    case "Suspend":
      return [ast.thunk()]
    case "Declaration":
      // Classes look only at their own instances; containers parse what they hold.
      return ast.annotations?.representation === undefined ? [] : ast.typeParameters
    default:
      return []
  }
}

/** Whether two recursive members may both begin to parse one value, when decoding or when encoding. Others go no deeper. */
function isAmbiguous(union: SchemaAST.Union, anyKeys: boolean): boolean {
  const encoded = SchemaAST.toEncoded(union)
  const isTriedAgain = (type: SchemaAST.AST) => anyKeys && reaches([type], (it) => it === union || it === encoded)
  return [union.types, union.types.map(SchemaAST.toEncoded)].some((types) => {
    const members = flat(types, new Set()).filter(isRecursive)
    const objects = members.filter(SchemaAST.isObjects)
    return (
      members.filter(SchemaAST.isArrays).length > 1 ||
      objects.some((one) => objects.some((other) => one !== other && overlap(one, other, isTriedAgain)))
    )
  })
}

function isRecursive(ast: SchemaAST.AST): boolean {
  return reaches([ast], SchemaAST.isSuspend)
}

/**
 * Effect tells structs apart by literal fields; else one fails at once where its first key is not there, or has none of its
 * literals. Where it may be there, what both hold by one key is parsed twice.
 */
function overlap(
  one: SchemaAST.Objects,
  other: SchemaAST.Objects,
  isTriedAgain: (type: SchemaAST.AST) => boolean
): boolean {
  const literals = new Map(other.propertySignatures.map(({ name, type }) => [name, literalsOf(type)]))
  for (const [index, { name, type }] of one.propertySignatures.entries()) {
    const here = literalsOf(type)
    const there = literals.get(name)
    if (here === undefined || there === undefined || here.some((literal) => there.includes(literal))) continue
    if (index === 0 || (here.length === 1 && there.length === 1)) return false
  }
  const first = one.propertySignatures[0]
  return (
    first === undefined ||
    SchemaAST.isOptional(first.type) ||
    literals.has(first.name) ||
    other.indexSignatures.length > 0 ||
    one.propertySignatures.some(({ name, type }) => literals.has(name) && isTriedAgain(type))
  )
}

function literalsOf(ast: SchemaAST.AST): ReadonlyArray<SchemaAST.LiteralValue> | undefined {
  if (SchemaAST.isOptional(ast)) return undefined
  const types = SchemaAST.isUnion(ast) ? ast.types : [ast]
  return types.every(SchemaAST.isLiteral) ? types.map(({ literal }) => literal) : undefined
}

/** The members, and those of unions among them. */
function flat(types: ReadonlyArray<SchemaAST.AST>, seen: Set<SchemaAST.AST>): ReadonlyArray<SchemaAST.AST> {
  return types.map(resolve).flatMap((type) => {
    if (!SchemaAST.isUnion(type)) return [type]
    return seen.has(type) ? [] : flat(type.types, seen.add(type))
  })
}

function resolve(ast: SchemaAST.AST): SchemaAST.AST {
  let at = ast
  for (let hops = 0; hops < 32 && SchemaAST.isSuspend(at); hops++) at = at.thunk()
  return at
}
