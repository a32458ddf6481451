// synckit makes one call at a time: with 64 outstanding its calls follow one another.
import { fileURLToPath } from "node:url"
import { createSyncFn } from "synckit"
import type { Subject } from "../../harness/Subject.ts"
import { type BlockingCase, type Bytes, blockingSession } from "../Calls.ts"

export const synckit: Subject<BlockingCase> = {
  name: "synckit",
  role: "peer",
  open: async (benchCase) => {
    const echo = createSyncFn<(bytes: Bytes) => Promise<Bytes>>(
      fileURLToPath(new URL("../workers/synckit.ts", import.meta.url))
    )
    return blockingSession(
      benchCase,
      (bytes) => {
        const answer = echo(bytes)
        return () => answer
      },
      // It keeps its worker, one for each module, and does not let it hold up the process.
      async () => {}
    )
  }
}
