/**
 * Values of other people's code, which may be anything: a proxy that was revoked, or an object without a text of its own, throws when
 * it is looked at. And that code itself, which may throw when it is told of something.
 */
import * as Cause from "effect/Cause"
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

/** As `Cause.pretty`. */
export const prettyOf = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.pretty(cause)
  } catch (error) {
    return textOf(error)
  }
}

/** Tells somebody something. What he throws is an uncaught exception of the application, and not the end of others' calls. */
export const tell = <A>(listener: (news: A) => void, news: A): void => {
  try {
    listener(news)
  } catch (error) {
    throwLater(error)
  }
}

/** Throws it as an uncaught exception, and not at whoever is on the stack. */
export const throwLater = (error: unknown): void =>
  queueMicrotask(() => {
    throw error
  })
