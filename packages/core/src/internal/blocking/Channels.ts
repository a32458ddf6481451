/** How threads that do not own each other talk: by a name that two of them know. */
import type { Port } from "../../Wire.ts"

export interface Channels {
  /** The calling thread's number, unique among those of its process. */
  readonly threadId: number
  /** Joins the channel of this name. What was posted before the other side had joined is lost. */
  readonly join: (name: string) => Channel
}

export interface Channel extends Port {
  /** The next message that nobody has been told of, or undefined. */
  readonly receive: () => unknown
  /** Nothing is posted or received any more. */
  readonly close: () => void
}
