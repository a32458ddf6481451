/**
 * Who is told of a plugin's calls: `GuestTelemetry`. Without one no call is measured that has no deadline, and no span is
 * made. An observer has no end; each observation ends with what it is of.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { RunningHostCall } from "../host/RunningHostCall.ts"
import type { Call } from "./Call.ts"
import type { EntrySpan } from "./Usage.ts"

export interface CallObserver {
  /** A guest call begins. */
  readonly onCall: (call: Call) => CallObservation
  /** A host function begins, in the context of the call that it is for. */
  readonly onHostCall: (hostCall: RunningHostCall) => Observation
}

/** Something that goes on and is told of its end. */
export interface Observation {
  /** What it runs in. */
  readonly context: Context.Context<never>
  readonly end: (exit: Exit.Exit<unknown, unknown>) => void
}

export interface CallObservation extends Observation {
  /**
   * Entries that are known beside those of the call's usage when it ends: of an attempt that died, or, after the end, of a
   * guest on another thread that went on for it.
   */
  readonly entries: (spans: ReadonlyArray<EntrySpan>) => void
}

/** An observer whose bugs, or those of the tracer behind it, are no affair of the calls: they are logged. */
export const safe = (observer: CallObserver): CallObserver => ({
  onCall: (call) => {
    const { context } = call
    const observation = guarded(context, () => observer.onCall(call))
    return {
      ...ended(context, observation),
      entries: (spans) => void guarded(context, () => observation?.entries(spans))
    }
  },
  onHostCall: (hostCall) => {
    const { caller } = hostCall
    return ended(
      caller,
      guarded(caller, () => observer.onHostCall(hostCall))
    )
  }
})

const ended = (context: Context.Context<never>, observation: Observation | undefined): Observation => ({
  context: observation?.context ?? context,
  end: (exit) => void guarded(context, () => observation?.end(exit))
})

const guarded = <A>(context: Context.Context<never>, observe: () => A): A | undefined => {
  try {
    return observe()
  } catch (error) {
    Effect.runForkWith(context)(Effect.logError("a call could not be observed", error))
    return undefined
  }
}

/** Read when a plugin is loaded. */
export const Current: Context.Reference<CallObserver | undefined> = Context.Reference(
  "@fiberhost/wasm-host/CallObserver",
  { defaultValue: (): CallObserver | undefined => undefined }
)
