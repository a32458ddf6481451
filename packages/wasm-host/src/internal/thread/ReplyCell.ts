/**
 * The answer of a sync host function to a guest's thread that is blocked until it is there: shared memory, for a blocked
 * thread receives no message. One answer at a time, since a blocked thread asks nothing more.
 */
import { Backoff } from "@fiberhost/core/Backoff"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as Result from "effect/Result"

const waiting = 0
const answered = 1
const failed = 2

/** Bytes: the state and the length, each an i32, then the value. */
const headerBytes = 8
const initialBytes = 64 * 1024
/** An answer of the longest value that a guest takes, or an error that is as long. */
const maxBytes = 32 * 1024 * 1024

/** How long the thread polls before it sleeps, in milliseconds. For an owner who had to be woken it does so for longer. */
const polled = 0.05

export class ReplyCell {
  readonly memory: SharedArrayBuffer
  private readonly header: Int32Array
  /** Worker side. */
  private readonly backoff = new Backoff(polled)

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(initialBytes, { maxByteLength: maxBytes })) {
    this.memory = memory
    this.header = new Int32Array(memory, 0, 2)
  }

  /** Owner's side: answers the thread that waits. Whether it slept, and had to be woken. */
  answer(answer: Result.Result<Uint8Array, HostCallError.HostCallError>): boolean {
    const value = Result.isSuccess(answer) ? answer.success : HostCallError.encode(answer.failure)
    if (headerBytes + value.byteLength > this.memory.byteLength) this.memory.grow(headerBytes + value.byteLength)
    new Uint8Array(this.memory, headerBytes, value.byteLength).set(value)
    this.header[1] = value.byteLength
    Atomics.store(this.header, 0, Result.isSuccess(answer) ? answered : failed)
    return Atomics.notify(this.header, 0) > 0
  }

  /**
   * Worker side: blocks this thread until the answer is there. One that comes soon need not wake it. `hasWoken`: the owner slept, and was
   * woken for the question.
   */
  wait(name: string, hasWoken: boolean): Result.Result<Uint8Array, HostCallError.HostCallError> {
    const span = this.backoff.next(hasWoken)
    const end = performance.now() + Math.max(polled, span)
    let slept = false
    // A sleeper may be woken for the answer before, which it polled before the owner came to notify.
    while (Atomics.load(this.header, 0) === waiting) {
      if (performance.now() < end) continue
      slept = true
      Atomics.wait(this.header, 0, waiting)
    }
    if (!slept) this.backoff.hit()
    else if (span > 0) this.backoff.miss()
    const state = Atomics.exchange(this.header, 0, waiting)
    const value = new Uint8Array(this.memory, headerBytes, this.header[1]).slice()
    return state === answered ? Result.succeed(value) : Result.fail(HostCallError.decode(name, value))
  }
}
