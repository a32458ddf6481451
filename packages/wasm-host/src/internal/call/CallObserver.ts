/** Who is told of a plugin's calls: `GuestTelemetry`. Without one nothing is measured and no span is made. */
import * as Context from "effect/Context"
import type { TypedExit } from "../guest/GuestCodec.ts"
import type { Call } from "./Call.ts"

export interface CallObserver {
  /** A call begins. Its context is what its host functions run in. */
  readonly onCall: (call: Call) => void
  /** It has settled. */
  readonly onExit: (call: Call, exit: TypedExit) => void
  /** Its caller was interrupted. */
  readonly onInterrupt: (call: Call) => void
}

/** Read when a plugin is loaded. */
export const Current: Context.Reference<CallObserver | undefined> = Context.Reference(
  "@fiberhost/wasm-host/CallObserver",
  { defaultValue: (): CallObserver | undefined => undefined }
)
