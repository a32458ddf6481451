/** The end of something, and who is told of it. Unlike a `Deferred` it tells listeners on the stack. */
import * as Effect from "effect/Effect"

export class Ending {
  private hasCome = false
  private listeners: Array<() => void> | undefined = undefined

  /** `listener` is told when it comes, or now if it has come. */
  onCome(listener: () => void): void {
    if (this.hasCome) listener()
    else (this.listeners ??= []).push(listener)
  }

  /** It has come. */
  come(): void {
    const { listeners } = this
    this.hasCome = true
    this.listeners = undefined
    if (listeners !== undefined) for (const listener of listeners) listener()
  }

  /** Completes when it has come. */
  get await(): Effect.Effect<void> {
    return Effect.callback((resume) => this.onCome(() => resume(Effect.void)))
  }
}
