/** Owner's side: a call of one of the functions that a guest's thread has itself, typed by its contract. */
import type * as Connection from "@fiberhost/core/Connection"
import type * as FunctionCodec from "@fiberhost/core/FunctionCodec"
import type * as Thread from "@fiberhost/core/Thread"
import * as Wire from "@fiberhost/core/Wire"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as GuestWire from "./GuestWire.ts"

/**
 * Succeeds with the function's answer, or fails with the connection's end. What does not fit the contract is a defect:
 * both sides are ours.
 */
export const run = (
  connection: Connection.Connection,
  codec: FunctionCodec.FunctionCodec,
  payload: unknown
): Effect.Effect<Result.Result<unknown, unknown>, Thread.Exit> =>
  Effect.callback((resume) => {
    const refused = connection.call({
      target: 0,
      index: GuestWire.controls.indexOf(codec),
      caller: 0,
      flags: 0,
      writeArguments: (writer) => codec.writeArguments(payload, writer),
      onReply: (reader) => {
        const answer = codec.decodeAnswer(Wire.readValue(reader))
        resume(Result.isSuccess(answer) ? Effect.succeed(answer.success) : Effect.die(answer.failure))
      },
      onFailure: (reader) => reader.malformed(reader.offset, "a control call has no failure"),
      onChunk: (reader) => reader.malformed(reader.offset, "a control call answers no stream"),
      onLost: (why) => resume(Effect.fail(why))
    })
    if (typeof refused !== "number") resume(Effect.die(refused))
  })
