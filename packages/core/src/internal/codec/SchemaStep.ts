/**
 * Runs the part of a schema that is not wire form: one transformation, or one group of checks, on a value in memory.
 *
 * Effect reports a refused value as a failure, what a user's function throws as a defect, and an asynchronous
 * transformation as a defect as well once it has been started synchronously. All of them leave here as `CodecFailure`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { CodecFailure } from "../../CodecError.ts"
import { isA } from "../../Foreign.ts"

/** Returns the value after the step, or throws a `CodecFailure`. */
export type Step = (value: unknown) => unknown

export interface Steps {
  readonly decode: Step
  readonly encode: Step
}

/** The steps of a schema that transforms: between `ast` and the type side of what it is encoded to last. */
export const transformation = (ast: SchemaAST.AST): Steps => {
  const links = ast.encoding!
  const last = links[links.length - 1]!
  const local = copyWith(ast, {
    encoding: [...links.slice(0, -1), new SchemaAST.Link(SchemaAST.unknown, last.transformation)] as never
  })
  return whole(local)
}

/** The steps of a whole schema, from its encoded side to its type in memory. */
export const whole = (ast: SchemaAST.AST): Steps => {
  const schema: Schema.ConstraintCodec<unknown, unknown> = Schema.make(ast)
  return { decode: run(SchemaParser.decodeUnknownExit(schema)), encode: run(SchemaParser.encodeUnknownExit(schema)) }
}

/** Stands for a key that is not there. */
export const absent: unique symbol = Symbol.for("~fiberhost/core/absent")

/** The steps of a field's whole schema, where the key may be `absent` before or after: defaults, optional keys. */
export const optional = (ast: SchemaAST.AST): Steps => {
  const holder = whole(new SchemaAST.Objects([new SchemaAST.PropertySignature("value", ast)], []))
  const through =
    (step: Step): Step =>
    (value) => {
      try {
        const out = step(value === absent ? {} : { value }) as { readonly value?: unknown }
        return Object.hasOwn(out, "value") ? out.value : absent
      } catch (failure) {
        // The holder's key is nobody's path.
        if (isA(failure, CodecFailure)) failure.path.pop()
        throw failure
      }
    }
  const encode = through(holder.encode)
  const isType = Schema.is(Schema.make(SchemaAST.toType(ast)))
  // An undefined value of a key that may be left out is left out, unless it is a value of its type.
  const encodeOptional: Step = (value) => encode(value === undefined && !isType(value) ? absent : value)
  return { decode: through(holder.decode), encode: SchemaAST.isOptional(ast) ? encodeOptional : encode }
}

/** The step that lets a value pass unchanged when `admits` and all `checks` accept it. */
export const checking = (ast: SchemaAST.AST, checks: SchemaAST.Checks, admits: (value: unknown) => boolean): Step => {
  const local = new SchemaAST.Declaration(
    [],
    () => (input, _self, options) =>
      admits(input) ? Effect.succeed(input) : Effect.fail(new SchemaIssue.InvalidType(ast, input, options)),
    undefined,
    checks
  )
  return whole(local).decode
}

/** A shallow copy, as Effect makes them: AST nodes are immutable and their prototypes carry their behaviour. */
export const copyWith = <A extends SchemaAST.AST>(ast: A, changes: Partial<SchemaAST.AST>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, changes)

function run(parse: (input: unknown) => Exit.Exit<unknown, SchemaIssue.Issue>): Step {
  return (value) => {
    const exit = attempt(parse, value)
    if (Exit.isSuccess(exit)) return exit.value
    throw fromCause(exit.cause)
  }
}

function attempt<A>(parse: (input: unknown) => A, value: unknown): A {
  try {
    return parse(value)
  } catch (cause) {
    throw new CodecFailure({ _tag: "Defective", cause })
  }
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

function fromCause(cause: Cause.Cause<SchemaIssue.Issue>): CodecFailure {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason) && SchemaIssue.isIssue(reason.error)) return fromIssue(reason.error)
    if (Cause.isDieReason(reason)) {
      if (!Cause.isAsyncFiberError(reason.defect)) return new CodecFailure({ _tag: "Defective", cause: reason.defect })
      reason.defect.fiber.interruptUnsafe()
      return new CodecFailure({ _tag: "Asynchronous" })
    }
  }
  return new CodecFailure({ _tag: "Defective", cause: Cause.squash(cause) })
}

function fromIssue(issue: SchemaIssue.Issue): CodecFailure {
  const first = format(issue).issues[0]
  // A message of the user's, which may be cut in the middle of a character: it is sent like any string.
  const message = (first?.message ?? "Expected another value").toWellFormed()
  const failure = new CodecFailure({ _tag: "DoesNotFit", message })
  for (const segment of (first?.path ?? []).toReversed()) {
    failure.at(typeof segment === "object" ? segment.key : segment)
  }
  return failure
}
