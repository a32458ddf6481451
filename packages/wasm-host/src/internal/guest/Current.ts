/**
 * The host call that a fiber runs for: how a host function knows on whose behalf it runs, wherever its guest lives.
 */
import * as Context from "effect/Context"

export interface RunningHostCall {
  readonly plugin: string
  readonly signature: { readonly name: string }
  /** The guest call that waits for it, if one does. `logged` is the last line that the guest logged for it. */
  readonly owner: { logged: string | undefined; readonly signature: { readonly name: string } } | undefined
  /** The context of the fiber whose guest call made it. */
  readonly caller: Context.Context<never>
  /** What can run nothing until it is answered: its guest, or its guest's thread. Undefined when nothing waits so. */
  readonly blocks: unknown
}

/** The host call that the current fiber runs for; forked fibers inherit it. */
export const Current: Context.Reference<RunningHostCall | undefined> = Context.Reference(
  "@fiberhost/wasm-host/GuestCall/Current",
  { defaultValue: (): RunningHostCall | undefined => undefined }
)

/** The host calls that a fiber runs in, the innermost first: its own, that of the guest call around it, and so on. */
export function* hostCallsAround(context: Context.Context<never>): Generator<RunningHostCall> {
  for (let hostCall = Context.get(context, Current); hostCall !== undefined; ) {
    yield hostCall
    hostCall = Context.get(hostCall.caller, Current)
  }
}

/** The sync host function, if any, that the fiber runs in and that blocks what it would wait for. */
export const blockedBy = (context: Context.Context<never>, blocked: unknown): string | undefined => {
  for (const hostCall of hostCallsAround(context)) {
    if (hostCall.blocks === blocked) return hostCall.signature.name
  }
  return undefined
}
