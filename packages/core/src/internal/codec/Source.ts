/**
 * The JavaScript that reads or writes one form: functions that call each other by name, and the constants that they use.
 *
 * A codec that is interpreted calls, for each node of its form, a function that other codecs call as well, which no engine
 * makes fast. One that is compiled has functions of its own, straight through its fields. What would gain nothing stays
 * interpreted: it is a constant here. Names and texts of a schema get into the source as JSON strings only.
 */
import { isPlain } from "./StructDecoder.ts"
import type { ListWire, StructWire, Wire } from "./WireSchema.ts"

export class Source {
  /** The function that the source is for. */
  entry = ""
  private readonly constants: Array<unknown> = []
  private readonly declarations: Array<string> = []
  private readonly functions: Array<string> = []
  private readonly names = new Map<unknown, string>()

  /** The name of a value that cannot be spelled. `what` tells the reader of the source what it is. */
  constant(value: unknown, what: string): string {
    const known = this.names.get(value)
    if (known !== undefined) return known
    const name = `c${this.constants.length}`
    this.names.set(value, name)
    this.declarations.push(`const ${name} = constants[${this.constants.length}] // ${what.replace(/[^ -~]/g, "?")}`)
    this.constants.push(value)
    return name
  }

  /** The name of the function of a form; `write` gives its text the first time. */
  functionOf(wire: Wire, write: (name: string) => string): string {
    const known = this.names.get(wire)
    if (known !== undefined) return known
    const name = `f${this.names.size}`
    this.names.set(wire, name)
    this.functions.push(write(name))
    return name
  }

  /** The name of a function that others need; its text is taken once. */
  helper(name: string, text: string): string {
    if (!this.names.has(name)) {
      this.names.set(name, name)
      this.functions.push(text)
    }
    return name
  }

  /** The body of a function of `constants` that returns the entry. */
  get text(): string {
    const lines = ['"use strict"', ...this.declarations, ...this.functions, `return ${this.entry}`]
    return lines.join("\n").replace(/\n\s*\n+/g, "\n")
  }

  make<F>(): F {
    return new Function("constants", this.text)(this.constants)
  }
}

/** Whether a function can be made of source here: a content security policy, or `--disallow-code-generation-from-strings`, forbids it. */
export const isAllowed: boolean = (() => {
  try {
    return new Function("return true")()
  } catch {
    return false
  }
})()

/** The forms that have functions of their own: structs whose fields come as they are, and lists of one kind of item. */
export const isCompiled = (wire: Wire): wire is StructWire | ListWire => {
  if (wire._tag === "Struct") {
    return wire.rest === undefined && wire.fields.length > 0 && wire.fields.length <= mostFields && isPlain(wire)
  }
  return wire._tag === "List" && wire.elements.length === 0 && wire.tail.length === 0 && wire.rest?._tag !== "Float"
}

/** Beyond that a function is too large for the engine's best compiler. */
const mostFields = 256

/** An expression that is true when these bytes lie in `bytes` from `offset` on. */
export const bytesAre = (bytes: string, offset: string, expected: Uint8Array): string =>
  Array.from(expected, (byte, i) => `${bytes}[${at(offset, i)}] === ${byte}`).join(" && ")

/** Statements that store these bytes. */
export const storeBytes = (bytes: string, offset: string, values: Uint8Array): string =>
  Array.from(values, (byte, i) => `${bytes}[${at(offset, i)}] = ${byte}; `).join("")

export const at = (offset: string, i: number): string => (i === 0 ? offset : `${offset} + ${i}`)
