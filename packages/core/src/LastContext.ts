import type * as Context from "effect/Context"

/**
 * `read` of a context, remembered for the last one: callers come with one again and again, that of the fiber which was forked for
 * them all, and to look something up costs as much as to suspend a fiber. It keeps that context for as long as its owner lives.
 */
export const memo = <A>(read: (context: Context.Context<never>) => A): ((context: Context.Context<never>) => A) => {
  let last: Context.Context<never> | undefined
  let value: A
  return (context) => {
    if (context !== last) {
      value = read(context)
      last = context
    }
    return value
  }
}
