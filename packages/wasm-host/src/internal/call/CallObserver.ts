/**
 * Who is told of a plugin's calls: `GuestTelemetry`. Without one no call is measured that has no deadline, and no span is
 * made. An observer has no end; each observation ends with what it is of.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RunningHostCall } from "../guest/RunningHostCall.ts"
import type { Call } from "./Call.ts"

export interface CallObserver {
  /** A guest call begins. */
  readonly onCall: (call: Call) => Observation
  /** A host function begins, in the context of the call that it is for. */
  readonly onHostCall: (hostCall: RunningHostCall) => Observation
}

/** Something that goes on and is told of its end. */
export interface Observation {
  /** What it runs in. */
  readonly context: Context.Context<never>
  readonly end: (exit: Exit.Exit<unknown, unknown>) => void
}

/** An observer whose bugs, or those of the tracer behind it, are no affair of the calls: they are logged. */
export const safe = (observer: CallObserver): CallObserver => ({
  onCall: (call) => guarded(call.context, () => observer.onCall(call)),
  onHostCall: (hostCall) => guarded(hostCall.caller, () => observer.onHostCall(hostCall))
})

const guarded = (context: Context.Context<never>, begin: () => Observation): Observation => {
  const failed = (error: unknown) =>
    void Effect.runForkWith(context)(Effect.logError("a call could not be observed", error))
  try {
    const observation = begin()
    return {
      context: observation.context,
      end: (exit) => {
        try {
          observation.end(exit)
        } catch (error) {
          failed(error)
        }
      }
    }
  } catch (error) {
    failed(error)
    return { context, end: () => {} }
  }
}

/** Read when a plugin is loaded. */
export const Current: Context.Reference<CallObserver | undefined> = Context.Reference(
  "@fiberhost/wasm-host/CallObserver",
  { defaultValue: (): CallObserver | undefined => undefined }
)
