/** The end of something, and who is told of it. Unlike a `Deferred` it tells listeners on the stack. */
import * as Effect from "effect/Effect"

export class Ending {
  /** Who is told; undefined once it has come. */
  private listeners: Array<() => void> | undefined = []

  get hasCome(): boolean {
    return this.listeners === undefined
  }

  /** `listener` is told when it comes, or now if it has come. */
  onCome(listener: () => void): void {
    if (this.listeners === undefined) listener()
    else this.listeners.push(listener)
  }

  /** It has come. */
  come(): void {
    const listeners = this.listeners
    this.listeners = undefined
    for (const listener of listeners ?? []) listener()
  }

  /** Completes when it has come. */
  get await(): Effect.Effect<void> {
    return Effect.callback((resume) => this.onCome(() => resume(Effect.void)))
  }
}
