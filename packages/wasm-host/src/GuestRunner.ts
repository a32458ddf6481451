/**
 * Worker side of `GuestThread`: the program of a thread that guests live on, on any platform.
 */
import type * as Wire from "@fiberhost/core/Wire"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CallTable } from "./internal/thread/CallTable.ts"
import { GuestServer } from "./internal/thread/GuestServer.ts"
import * as GuestWire from "./internal/thread/GuestWire.ts"
import { ReplyCell } from "./internal/thread/ReplyCell.ts"

/** This module was not started by an executor over threads. */
export class NotAThread extends Schema.TaggedError<NotAThread>("@fiberhost/wasm-host/NotAThread")("NotAThread", {}) {
  override get message(): string {
    return "This is the program of a thread for guests: it is started by the layer of GuestThread, and not run"
  }
}

/** Serves guests on `port` until the owner ends it. `start` is what the owner gave the thread. */
export const run = (port: Wire.Port, start: unknown): Effect.Effect<void, NotAThread> =>
  Effect.gen(function* () {
    const { calls, ran, reply } = yield* Effect.mapError(
      Schema.decodeUnknownEffect(GuestWire.Start)(start),
      () => new NotAThread()
    )
    const closing = Deferred.makeUnsafe<void>()
    const server = new GuestServer({
      port,
      reply: new ReplyCell(reply),
      ran: new Int32Array(ran),
      table: new CallTable(calls),
      onClose: () => Deferred.doneUnsafe(closing, Effect.void)
    })
    yield* Deferred.await(closing)
    server.flush()
  })
