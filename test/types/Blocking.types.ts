/** Checked by the compiler: a pool's functions for synchronous code. */
import type { Blocking, Thread } from "@fiberhost/core"
import { HostPool } from "@fiberhost/core"
import { NodeBlocking } from "@fiberhost/node"
import { type Effect, type Option, type Result, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>): void => {}

class TooLong extends Schema.TaggedError<TooLong>()("TooLong", { limit: Schema.Int }) {}
class Hashing extends HostPool.Service<Hashing>()("types/Hashing", [
  Rpc.make("sha256", { payload: { bytes: Schema.Uint8Array }, success: Schema.String, error: TooLong }),
  Rpc.make("warm"),
  Rpc.make("lines", { payload: { path: Schema.String }, success: Schema.String, stream: true })
]) {}
class Other extends HostPool.Service<Other>()("types/Other", [Rpc.make("warm")]) {}
declare const bytes: Uint8Array<ArrayBuffer>

// What is inferred

const handle = NodeBlocking.handle(Hashing)
same<typeof handle, Effect.Effect<Blocking.Handle<Hashing>, Thread.ThreadError, Scope.Scope | Hashing>>(true)
declare const given: Blocking.Handle<Hashing>
const hashing = NodeBlocking.open(Hashing, given)
const hash = hashing.sha256.run({ bytes }, { timeout: "1 second" })
same<typeof hash, Result.Result<string, TooLong | Blocking.CallError>>(true)
const receiver = hashing.sha256.spawnBlockingOrThrow({ bytes })
same<typeof receiver, Blocking.Receiver<string, TooLong>>(true)
const tried = hashing.sha256.trySpawn({ bytes })
same<typeof tried, Result.Result<Blocking.Receiver<string, TooLong>, Blocking.CallError>>(true)
const polled = receiver.tryRecv()
same<typeof polled, Option.Option<Result.Result<string, TooLong | Blocking.CallError>>>(true)
const received: string = receiver.recvOrThrow({ timeout: 10 })
void received
const nothing: void = hashing.warm.runOrThrow()
void nothing

// What does not compile

// @ts-expect-error the payload is not the contract's
hashing.sha256.run({ path: "" })
// @ts-expect-error a function of no such name
hashing.md5
// @ts-expect-error a streamed function has no one answer
hashing.lines
// @ts-expect-error the answer is a string
const wrong: number = hashing.sha256.runOrThrow({ bytes })
void wrong
// @ts-expect-error a handle of another contract
NodeBlocking.open(Other, given)
// @ts-expect-error the Effect that makes the handle
NodeBlocking.open(Hashing, handle)
// @ts-expect-error an unknown option
hashing.sha256.spawnBlocking({ bytes }, { capacity: 1 })
