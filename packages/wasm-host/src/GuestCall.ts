/**
 * What is said of one call of a guest function, where it is made.
 */
export {
  /**
   * The deadline that a call made here inherits, in milliseconds of Effect's `Clock`; `Infinity` without one. Its
   * function's or its executor's may come earlier.
   */
  Current as CurrentDeadline,
  /**
   * Gives calls so much time, from where the effect starts: `plugin.render(page).pipe(GuestCall.withDeadline("100 millis"))`.
   * It covers waiting for room, the guest, and its host functions with all that they call, on whatever thread. A call that
   * takes longer fails with a `GuestError` (reason `DeadlineExceeded`) which says where the time went. A deadline further
   * in is never later. Defaults: `deadline` of the executor's layer, `Abi.Deadline` of a function.
   */
  within as withDeadline
} from "@fiberhost/core/Deadline"
