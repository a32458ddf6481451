/**
 * Values of other people's code, which may be anything: a proxy that was revoked, or an object without a text of its own, throws when
 * it is looked at.
 */
import * as Inspectable from "effect/Inspectable"

/** As `instanceof`; what cannot be looked at is of no type. */
export const isA = <A>(value: unknown, type: abstract new (...args: ReadonlyArray<never>) => A): value is A => {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

/** What was thrown, in words. */
export const textOf = (thrown: unknown): string => {
  try {
    const text: unknown = isA(thrown, Error) ? thrown.message : thrown
    return (typeof text === "string" ? text : Inspectable.toStringUnknown(text)).toWellFormed()
  } catch {
    return "something that cannot be read"
  }
}
