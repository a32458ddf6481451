import * as Context from "effect/Context"

/**
 * Reads a reference of one caller's context after the other. Whoever calls in a loop comes with the same one each time, and to look
 * for what is not there takes all of it.
 *
 * It remembers the last context in which the reference is not set, and no other: so what is set, such as a host call with all of its
 * guest, does not live as long as this does.
 *
 * @internal
 */
export const make = <A>(reference: Context.Reference<A>): ((context: Context.Context<never>) => A) => {
  const unset = Context.get(Context.empty(), reference)
  let last: Context.Context<never> | undefined
  return (context) => {
    if (context === last) return unset
    const value = Context.get(context, reference)
    if (value === unset) last = context
    return value
  }
}
