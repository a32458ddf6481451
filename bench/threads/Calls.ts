// What is asked of a thread in each case, and how a subject answers it. All subjects get the same arguments, and every answer is checked.
import { type Context, Effect } from "effect"
import * as ClosedLoop from "../harness/ClosedLoop.ts"
import type { Case, Session } from "../harness/Subject.ts"
import * as SlotBytes from "./SlotBytes.ts"

/** `threads` is how many worker threads the subject has; `bytes` the size of what `echo` and `move` carry. */
export interface ThreadsCase extends Case {
  readonly call: "noop" | "spin" | "echo" | "move"
  readonly bytes: number
  readonly threads: number
}

export interface SmallObject {
  readonly id: number
  readonly name: string
}

export type Bytes = Uint8Array<ArrayBuffer>

/** The calls of a subject whose callers hold promises. */
export interface PromiseCalls {
  /** Answers the id. */
  readonly noop: (value: SmallObject) => Promise<number>
  /** Answers the id after 1 ms of work. */
  readonly spin: (value: SmallObject) => Promise<number>
  /** Answers the bytes it got. The caller keeps its own. */
  readonly echo: (bytes: Bytes) => Promise<Uint8Array>
  /** Answers the bytes it got, and both ways they are moved: whoever sends them has them no longer. */
  readonly move: (bytes: Bytes) => Promise<Bytes>
}

/** The same calls for callers that are fibers. */
export type EffectCalls<R = never> = {
  readonly [Call in keyof PromiseCalls]: (
    argument: Parameters<PromiseCalls[Call]>[0]
  ) => Effect.Effect<Awaited<ReturnType<PromiseCalls[Call]>>, unknown, R>
}

export function promiseSession(benchCase: ThreadsCase, calls: PromiseCalls, close: () => Promise<void>): Session {
  const call = promiseCall(benchCase, calls)
  return { run: (slice) => ClosedLoop.ofPromises(slice, call), close }
}

export function effectSession<R>(
  benchCase: ThreadsCase,
  services: Context.Context<R>,
  calls: EffectCalls<R>,
  close: () => Promise<void>
): Session {
  const call = effectCall(benchCase, calls)
  return { run: (slice) => ClosedLoop.ofFibers(slice, services, call), close }
}

function promiseCall({ call, bytes }: ThreadsCase, calls: PromiseCalls): (slot: number) => Promise<void> {
  if (call === "noop" || call === "spin") {
    const ask = calls[call]
    return async () => {
      const value = smallObject()
      checkId(value, await ask(value))
    }
  }
  if (call === "echo") {
    return async (slot) => {
      const sent = SlotBytes.take(slot, bytes)
      SlotBytes.checkCopied(sent, await calls.echo(sent.bytes))
    }
  }
  return async (slot) => {
    const sent = SlotBytes.take(slot, bytes)
    SlotBytes.checkMoved(slot, sent, await calls.move(sent.bytes))
  }
}

function effectCall<R>(
  { call, bytes }: ThreadsCase,
  calls: EffectCalls<R>
): (slot: number) => Effect.Effect<void, unknown, R> {
  if (call === "noop" || call === "spin") {
    const ask = calls[call]
    return () => {
      const value = smallObject()
      return Effect.map(ask(value), (id) => checkId(value, id))
    }
  }
  if (call === "echo") {
    return (slot) => {
      const sent = SlotBytes.take(slot, bytes)
      return Effect.map(calls.echo(sent.bytes), (answer) => SlotBytes.checkCopied(sent, answer))
    }
  }
  return (slot) => {
    const sent = SlotBytes.take(slot, bytes)
    return Effect.map(calls.move(sent.bytes), (answer) => SlotBytes.checkMoved(slot, sent, answer))
  }
}

let lastId = 12345

function smallObject(): SmallObject {
  return { id: lastId++, name: "a small object" }
}

function checkId(value: SmallObject, id: number): void {
  if (id !== value.id) throw new Error(`answered ${id} to ${value.id}`)
}
