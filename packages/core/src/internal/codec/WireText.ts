/**
 * Values that travel as one string: instants in RFC 3339, and URLs.
 */
import * as DateTime from "effect/DateTime"
import type { TextWire } from "./WireSchema.ts"

/** A `Date`. It holds milliseconds: finer fractions are cut when read. Invalid dates are refused. */
export const date: TextWire = {
  _tag: "Text",
  expected: "a date in RFC 3339, from year 0000 to 9999",
  is: (value) => value instanceof Date,
  format: (value: Date) => formatInstant(value.getTime()),
  parse: (text) => {
    const instant = parseInstant(text)
    return instant === undefined ? undefined : new Date(instant)
  }
}

/** A `DateTime.Utc`, in milliseconds as `Date`. */
export const dateTimeUtc: TextWire = {
  _tag: "Text",
  expected: date.expected,
  is: (value) => DateTime.isDateTime(value) && DateTime.isUtc(value),
  format: (value: DateTime.Utc) => formatInstant(value.epochMilliseconds),
  parse: (text) => {
    const instant = parseInstant(text)
    return instant === undefined ? undefined : DateTime.makeUnsafe(instant)
  }
}

export const url: TextWire = {
  _tag: "Text",
  expected: "a URL",
  is: (value) => value instanceof URL,
  format: (value: URL) => value.href,
  parse: (text) => (URL.canParse(text) ? new URL(text) : undefined)
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/

/** Milliseconds since 1970, or undefined. A leap second is the first moment of the next minute. */
function parseInstant(text: string): number | undefined {
  const match = rfc3339.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const millis = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3))
  const offsetHours = Number(match[9] ?? 0)
  const offsetMinutes = Number(match[10] ?? 0)
  if (offsetHours > 23 || offsetMinutes > 59) return undefined
  const offset = (offsetHours * 60 + offsetMinutes) * (match[8] === "-" ? -1 : 1)
  // Date.UTC takes years 0 to 99 for 1900 to 1999; the setter does not.
  const instant = new Date(0)
  instant.setUTCFullYear(year, month - 1, day)
  instant.setUTCHours(hour, minute - offset, second, millis)
  return hasText(instant.getTime()) ? instant.getTime() : undefined
}

function formatInstant(instant: number): string | undefined {
  return hasText(instant) ? new Date(instant).toISOString() : undefined
}

/** Years beyond four digits come with a sign, which RFC 3339 does not have; an offset may lead to one. */
function hasText(instant: number): boolean {
  return instant >= first && instant <= last
}

const first = Date.parse("0000-01-01T00:00:00Z")
const last = Date.parse("9999-12-31T23:59:59.999Z")

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
