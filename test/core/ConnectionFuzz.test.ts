import { assert, describe, it } from "@effect/vitest"
import { type Codec, Connection, Wire } from "@fiberhost/core"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { bytesOf, codec, type Frame, Message, shaped, show, Value } from "../fixtures/frames.ts"
import { claims } from "../fixtures/frugal.ts"
import { hold, timeout } from "../fixtures/fuzz.ts"

describe("a connection", () => {
  it.effect(
    "that is sent damaged frames tells its owner of a fault or nobody, and each call one answer or that it is lost",
    () => hold(Arbitrary.schema(Message), (message) => Effect.sync(() => receive(message)), { runs: 3000, show }),
    timeout
  )
})

const receive = (message: Message) => {
  const bytes = bytesOf(message)
  const faults: Array<string> = []
  const served: Array<unknown> = []
  const port: { deliver?: (message: unknown) => void } = {}
  const connection = new Connection.Connection(
    { post: () => {}, listen: (deliver) => void Object.assign(port, { deliver }) },
    {
      awaitsMessage: false,
      onCall: (call, reader) => {
        served.push(call)
        read(reader)
      },
      onInterrupt: (id) => void served.push(id),
      onAck: (id) => void served.push(id),
      onSignal: (id, reader) => {
        served.push(id)
        Wire.readValue(reader)
      }
    },
    (detail) => faults.push(detail)
  )
  const calls = [1, 2, 3, 4].map(callOf)
  for (const { call } of calls) connection.call(call)

  const { longest } = claims(() => port.deliver!(shaped(bytes, message.as)))
  assert.isAtMost(longest, bytes.length + 64)
  assert.isAtMost(faults.length, 1)
  for (const fault of faults) assert.match(fault, /^Cannot decode the value: /)
  const elements = calls.reduce((sum, { told }) => sum + told.elements, 0)
  assert.isAtMost(served.length + elements, bytes.length)

  connection.end({ exitCode: 1, detail: "it ends" })
  for (const [i, { told }] of calls.entries()) assert.strictEqual(told.ends.length, 1, `call ${i + 1}: ${told.ends}`)
  assert.deepStrictEqual(connection.pending, [])
  // Nobody is answered whom no answer was written for.
  if (message.mutations.length > 0) return
  const due = new Set(message.frames.filter(isAnswer).map(({ id }) => id))
  assert.isAtMost(calls.filter(({ told }) => told.ends[0] !== "lost").length, due.size)
}

const isAnswer = ({ _tag }: Frame) => _tag === "Reply" || _tag === "Failure"

/** Frames may hold any value: it is a value of its schema, or refused for what it is. */
const read = (reader: Codec.Reader) => {
  const value = Wire.withValue(reader, (value) => codec.decodeWindow(value))
  if (Result.isSuccess(value)) assert.isTrue(Schema.is(Value)(value.success))
  else assert.oneOf(value.failure.reason._tag, ["DoesNotFit", "Malformed", "TooDeep"])
}

const callOf = () => {
  const told = { elements: 0, ends: [] as Array<string> }
  const call: Connection.OutgoingCall = {
    target: 0,
    index: 0,
    caller: 0,
    flags: Connection.typedFlag,
    writeArguments: () => undefined,
    onReply: (reader) => {
      read(reader)
      told.ends.push("reply")
    },
    onFailure: (reader) => {
      Wire.readValue(reader)
      told.ends.push("failure")
    },
    onChunk: (reader, count) => {
      for (let left = count; left > 0; left--) {
        read(reader)
        told.elements++
      }
    },
    onLost: () => told.ends.push("lost")
  }
  return { call, told }
}
