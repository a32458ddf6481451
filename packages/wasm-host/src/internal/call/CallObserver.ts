/** Who is told of a plugin's calls: `GuestTelemetry`. Without one no call is measured that has no deadline, and no span is made. */
import * as Context from "effect/Context"
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

/** Read when a plugin is loaded. The context of an observed call has it, too. */
export const Current: Context.Reference<CallObserver | undefined> = Context.Reference(
  "@fiberhost/wasm-host/CallObserver",
  { defaultValue: (): CallObserver | undefined => undefined }
)
