// Text of pages and pictures, and how figures are written in it.

/** A label as it is, between tags or in an attribute. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
}

const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 })
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 1 })

/** 1,234,567 as `1.23M`. */
export const compact = (value: number): string => short.format(value)
/** 1,234,567 as it is. */
export const whole = (value: number): string => exact.format(value)

export function binary(bytes: number): string {
  const unit = bytes < 2 ** 10 ? 0 : bytes < 2 ** 20 ? 1 : 2
  return `${short.format(bytes / 2 ** (10 * unit))} ${["B", "KiB", "MiB"][unit]}`
}

/** What a value says before a unit that is in words. */
export function ratio(value: number): string {
  return `${value < 10 ? value.toFixed(value < 0.095 ? 2 : 1) : Math.round(value)}×`
}

/** Pixels that a label takes at most, in the sizes that pictures use. */
export const widthOf = (text: string, size = 12): number => Math.ceil(text.length * size * 0.58)
