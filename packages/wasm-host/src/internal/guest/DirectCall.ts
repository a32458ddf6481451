/**
 * A call of a sync function that is answered on its caller's stack: nobody can wait for it, leave it or look at it meanwhile, so
 * nothing is made for it. What host functions need of a call is made when the guest first calls one.
 *
 * One serves all such calls of a guest, one after the other: only one is on the guest's stack.
 */
import type * as Admission from "@fiberhost/core/Admission"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type { GuestMemory } from "../memory/GuestMemory.ts"
import type { Entry, Guest } from "./Guest.ts"
import { type Caller, GuestCall } from "./GuestCall.ts"
import type { GuestCodec, Raws, TypedExit } from "./GuestCodec.ts"

/** What comes of a call that is to be answered on this stack. */
export type DirectOutcome = DirectAnswer | NoAnswer

/** The value that the function answers, of the type that its contract says. */
interface DirectAnswer {
  readonly [answer]: never
}
declare const answer: unique symbol

/** The call has no answer. `exit` says how it ended; undefined when it was not made: see `notDirect`. */
class NoAnswer {
  readonly exit: TypedExit | undefined

  constructor(exit: TypedExit | undefined) {
    this.exit = exit
  }
}

/** As `Foreign.isA`, which the engine makes slower the more types it is asked for. */
export const isNoAnswer = (outcome: DirectOutcome): outcome is NoAnswer => {
  try {
    return outcome instanceof NoAnswer
  } catch {
    return false
  }
}

/** The call was not made: its guest is busy, or is no more, or it needs what only a whole call has. */
export const notDirect = new NoAnswer(undefined)

export class DirectCall implements Entry {
  private context: Context.Context<never> = Context.empty()
  private readonly guest: Guest
  private readonly admission: Admission.Admission
  private index = 0
  private owner: GuestCall | undefined

  constructor(guest: Guest, admission: Admission.Admission) {
    this.guest = guest
    this.admission = admission
  }

  /**
   * The call, step by step: a turn on the guest's stack, if it is free, arguments in, the export, and the answer. What is rare is a
   * method of its own, here and in what this calls: the engine inlines what is left into its caller's loop, up to a size.
   */
  run(index: number, codec: GuestCodec, payload: unknown, context: Context.Context<never>): DirectOutcome {
    const { guest } = this
    if (guest.dead !== undefined || !guest.lock.take()) return notDirect
    this.index = index
    this.context = context
    guest.begin(this)
    let outcome: DirectOutcome
    try {
      outcome = codec.invoke(guest.exportOf(index), payload, guest) as DirectAnswer
    } catch (thrown) {
      outcome = this.failed(codec, thrown)
    }
    if (this.owner !== undefined || guest.needsFinish) outcome = this.finish(outcome)
    guest.end()
    guest.lock.release()
    guest.deliver()
    return outcome
  }

  /** The call as the guest's others know one. */
  get call(): GuestCall {
    return (this.owner ??= new GuestCall(
      this.guest,
      this.index,
      new DirectCaller(this.context, this.admission),
      undefined
    ))
  }

  /** Nobody can leave it. */
  get leftCall(): undefined {
    return undefined
  }

  /** It ends in the guest's death, or in what its codec or its contract says. */
  private failed(codec: GuestCodec, thrown: unknown): NoAnswer {
    try {
      return new NoAnswer(codec.exitOfThrown(thrown))
    } catch {
      const { call } = this
      this.guest.poison(thrown, call)
      return new NoAnswer(call.takeExit()!)
    }
  }

  /** What goes wrong after the answer is the guest's end, and not the call's. */
  private finish(outcome: DirectOutcome): DirectOutcome {
    const { guest } = this
    const ended = this.left(outcome)
    // Whoever killed it has told its calls, and nothing in it is freed any more.
    if (guest.dead !== undefined) return ended
    try {
      // The guest may have caught what the host threw, and gone on.
      if (guest.unwinding !== undefined) throw guest.unwinding
      guest.asyncValues.sweep()
    } catch (thrown) {
      // The end is told by the name of a call, which is settled already.
      const { call } = this
      this.left(outcome)
      guest.poison(thrown, call)
    }
    return ended
  }

  /** One that a host function looked at may have been failed for it. Those that it did not wait for pass to the guest. */
  private left(outcome: DirectOutcome): DirectOutcome {
    const { owner } = this
    if (owner === undefined) return outcome
    this.owner = undefined
    owner.permit?.leave()
    if (owner.isSettled) return new NoAnswer(owner.takeExit()!)
    owner.settle(Exit.void)
    return outcome
  }
}

/** Who made it, as its host functions see him. He is told by the stack how it ended. */
class DirectCaller implements Caller {
  readonly context: Context.Context<never>
  readonly permit: Admission.Permit | undefined
  readonly observer = undefined

  constructor(context: Context.Context<never>, admission: Admission.Admission) {
    this.context = context
    const entry = admission.tryEnter(context)
    this.permit = typeof entry === "object" ? entry : undefined
  }

  pass(): Raws {
    throw new Error("a direct call passes its arguments itself")
  }

  take(_answer: unknown, _memory: GuestMemory): TypedExit {
    throw new Error("a direct call takes its answer itself")
  }

  exited(): void {}
}
