/** Reads one property of whatever it is given, which may be no object. Its getter's failure is the caller's. */
import { isAllowed } from "./Source.ts"

export type Accessor = (value: unknown) => unknown

/** Compiled where that is allowed, so that each meets the objects of one function only. */
export const make = (name: string): Accessor => {
  if (!isAllowed) return (value) => (isObject(value) ? value[name] : undefined)
  const body = `return typeof value === "object" && value !== null ? value[${JSON.stringify(name)}] : undefined`
  const compiled: unknown = new Function("value", body)
  return compiled as Accessor
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null
