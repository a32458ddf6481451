// What is asked of the other thread, and how a subject is kept busy: every call brings its bytes back, and is checked.
import type { Case, Session } from "../harness/Subject.ts"
import * as SlotBytes from "../threads/SlotBytes.ts"

export type Bytes = Uint8Array<ArrayBuffer>

/** `inFlight` is how many calls are made before the first answer is waited for. */
export interface BlockingCase extends Case {
  readonly bytes: number
}

export const echoCase = (name: string, bytes: number, outstanding: number): BlockingCase => ({
  name: `${name}/${outstanding}`,
  bytes,
  inFlight: outstanding
})

/** A call that was made: blocks until it is answered. */
export type Answer = () => Uint8Array

/** `ask` makes a call. A subject that can only make one at a time answers in `ask`. */
export function blockingSession(
  benchCase: BlockingCase,
  ask: (bytes: Bytes) => Answer,
  close: () => Promise<void>
): Session {
  const outstanding: Array<{ readonly started: number; readonly sent: SlotBytes.Sent; readonly answer: Answer }> = []
  return {
    run: async (slice) => {
      while (!slice.over) {
        for (let slot = 0; slot < benchCase.inFlight; slot++) {
          const sent = SlotBytes.take(slot, benchCase.bytes)
          const started = slice.started()
          outstanding.push({ started, sent, answer: ask(sent.bytes) })
        }
        for (const { answer, sent, started } of outstanding.splice(0)) {
          SlotBytes.checkCopied(sent, answer())
          slice.answered(started)
        }
      }
    },
    close
  }
}
