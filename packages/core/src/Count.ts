/**
 * How many of something an option asks for. What is no count is a bug of whoever gives the option: it is refused where it
 * comes in, with a `RangeError` that says which option it was, what it was, and what it must be.
 */

/** An integer from `least` to `most`. Throws a `RangeError`; `option` is the name in it. */
export const finite = (option: string, value: number, least: number, most = Infinity): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  return refuse(option, value, most === Infinity ? `at least ${least}` : `${least} to ${most}`)
}

/** As `finite`, or `Infinity`: there is no bound. */
export const orInfinity = (option: string, value: number, least: number): number => {
  if (value === Infinity || (Number.isInteger(value) && value >= least)) return value
  return refuse(option, value, `at least ${least}, or Infinity`)
}

const refuse = (option: string, value: number, bounds: string): never => {
  throw new RangeError(`${option} is ${value}: it must be an integer of ${bounds}`)
}
