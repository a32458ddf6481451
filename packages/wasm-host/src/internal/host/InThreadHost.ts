/**
 * Host functions of the guest's own thread: a handler's Effect runs in a fiber, unless it has its answer already.
 */
import * as HostFunction from "@fiberhost/core/HostFunction"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { HostExit } from "./HostAnswer.ts"
import * as HostAnswer from "./HostAnswer.ts"
import * as HostArguments from "./HostArguments.ts"
import { type Host, type HostCall, Unbegun } from "./HostCall.ts"

export const make = (implementation: HostFunction.Implementation): Host => {
  const { bytes, codec, values } = implementation
  const finished = HostAnswer.finished(implementation)
  if (values === undefined) {
    return (guest, signature, raws) => {
      const args = HostArguments.take(signature, raws, guest.memory)
      if (Result.isFailure(args)) return Exit.fail(args.failure)
      const effect = bytes(args.success)
      return HostFunction.isExit(effect) ? effect : new Handling(effect, implementation, finished)
    }
  }
  const { handle } = values
  return (guest, signature, raws) => {
    const payload = HostArguments.read(codec, signature, raws, guest.memory)
    if (Result.isFailure(payload)) return Exit.fail(payload.failure)
    const effect = handle(payload.success)
    return HostFunction.isExit(effect) ? finished(effect) : new Handling(effect, implementation, finished)
  }
}

/** A handler's Effect, and the fiber that it runs in. */
class Handling extends Unbegun implements HostFunction.Listener<unknown, unknown> {
  private readonly effect: Effect.Effect<unknown, unknown>
  private readonly implementation: HostFunction.Implementation
  private readonly finished: (exit: Exit.Exit<unknown, unknown>) => HostExit
  private hostCall: HostCall | undefined

  /** `finished`: what is answered when the handler has ended so. */
  constructor(
    effect: Effect.Effect<unknown, unknown>,
    implementation: HostFunction.Implementation,
    finished: (exit: Exit.Exit<unknown, unknown>) => HostExit
  ) {
    super()
    this.effect = effect
    this.implementation = implementation
    this.finished = finished
  }

  begin(hostCall: HostCall): HostExit | undefined {
    this.hostCall = hostCall
    const running = HostFunction.fork(this.effect, hostCall.contextOf(this.implementation), this)
    const exit = running.pollUnsafe()
    if (exit !== undefined) return this.finished(exit)
    hostCall.begun(running)
    return undefined
  }

  exited(exit: Exit.Exit<unknown, unknown>): void {
    this.hostCall!.exited(this.finished(exit))
  }
}
