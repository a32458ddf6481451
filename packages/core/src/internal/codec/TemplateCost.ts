/**
 * Refuses texts that a template literal of several variable parts could be split into in too many ways.
 *
 * Effect tries to end a variable part at every place where what follows may begin, and for each of them all ends of the next
 * variable part. So a hostile text costs the square of its length, and more with templates within templates. How many ends
 * there are is counted before, in linear time.
 */
import * as SchemaAST from "effect/SchemaAST"
import { doesNotFit } from "../../CodecError.ts"

/** Throws a `CodecFailure` where matching `text` may cost more than a multiple of its length. */
export const check = (template: SchemaAST.TemplateLiteral, text: string): void => {
  if (triesOf(template, text) > text.length * 64 + 4096) {
    throw doesNotFit("Expected a text that its template literal can be split into in fewer ways")
  }
}

/** At most how often a variable part is matched, where reading `charsOfTry` characters counts as one more. */
function triesOf({ parts }: SchemaAST.TemplateLiteral, text: string): number {
  const scan = text.length / charsOfTry
  let tries = 0
  let starts = 1
  parts.forEach((part, i) => {
    if (SchemaAST.isLiteral(part)) return
    const next = parts[i + 1]
    const isBeforeWord = next !== undefined && SchemaAST.isLiteral(next)
    const ends = next === undefined ? 1 : isBeforeWord ? count(text, `${next.literal}`) : text.length + 1
    tries += starts * ((isBeforeWord ? scan : 0) + ends * costOf(part, text, scan))
    starts = ends
  })
  return tries
}

/** What it costs to match a part of `text` once. */
function costOf(part: SchemaAST.AST, text: string, scan: number): number {
  if (SchemaAST.isString(part) && part.checks === undefined) return 1
  if (SchemaAST.isTemplateLiteral(part)) return 1 + scan + triesOf(part, text)
  if (SchemaAST.isUnion(part)) return part.types.reduce((cost, type) => cost + costOf(type, text, scan), 1)
  return SchemaAST.isLiteral(part) ? 1 : 1 + scan
}

/** A try takes as long as reading so many characters of a number; measured. */
const charsOfTry = 40

function count(text: string, word: string): number {
  let found = 0
  for (let at = text.indexOf(word); at >= 0 && at < text.length; at = text.indexOf(word, at + 1)) found++
  return found
}
