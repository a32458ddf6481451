import { assert, describe, it } from "@effect/vitest"
import { Codec, Connection, Wire } from "@fiberhost/core"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { claims } from "../fixtures/frugal.ts"
import { hold, timeout } from "../fixtures/fuzz.ts"
import { damage, Mutation } from "../fixtures/mutation.ts"

const Value = Schema.Struct({ bytes: Schema.Uint8Array, numbers: Schema.Array(Schema.Number) })
const codec = Codec.make(Value)
const Id = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
const Values = Schema.Array(Value).check(Schema.isMaxLength(3))

const Frame = Schema.TaggedUnion({
  Call: { id: Id, value: Value },
  Reply: { id: Id, value: Value },
  Failure: { id: Id, value: Value },
  Chunk: { id: Id, values: Values },
  Ack: { id: Id, count: Id },
  Interrupt: { id: Id },
  Signal: { id: Id, value: Value }
})
type Frame = typeof Frame.Type

/** One message, as it would be posted, damaged; `as` is the form that its bytes come in. */
const Message = Schema.Struct({
  frames: Schema.Array(Frame).check(Schema.isBetweenLength(1, 6)),
  mutations: Schema.Array(Mutation).check(Schema.isMaxLength(4)),
  as: Schema.Literals(["text", "bytes", "buffer", "with a list", "with a list of something else"])
})
type Message = typeof Message.Type

describe("a connection", () => {
  it.effect(
    "that is sent damaged frames tells its owner of a fault or nobody, and each call one answer or that it is lost",
    () => hold(Arbitrary.schema(Message), (message) => Effect.sync(() => receive(message)), { runs: 3000, show }),
    timeout
  )
})

const show = ({ as, frames, mutations }: Message) =>
  [as, ...frames, ...mutations].map((part) => JSON.stringify(part)).join("\n")

const receive = (message: Message) => {
  const bytes = damage(written(message.frames), message.mutations)
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
  const value = Wire.withValue(reader, (value) => Codec.decodeWindow(codec, value))
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

/** The frames in one message, written as a connection writes them. */
const written = (frames: ReadonlyArray<Frame>): Uint8Array => {
  const posted: Array<unknown> = []
  const outbox = new Wire.Outbox({ post: (message) => posted.push(message), listen: () => {} }, assert.fail, () => {})
  const append = (writer: Codec.Writer, value: typeof Value.Type) =>
    Wire.writeValue(writer, Result.getOrThrow(Codec.encodeToBytes(codec, value)))
  for (const frame of frames) {
    switch (frame._tag) {
      case "Call": {
        const writer = outbox.begin(Wire.Kind.call, frame.id)
        for (const part of [0, 1, 0, Connection.typedFlag]) writer.int(part)
        append(writer, frame.value)
        break
      }
      case "Reply":
      case "Failure":
      case "Signal":
        append(outbox.begin(kinds[frame._tag], frame.id), frame.value)
        break
      case "Chunk": {
        const writer = outbox.begin(Wire.Kind.chunk, frame.id)
        writer.u32(frame.values.length)
        for (const value of frame.values) append(writer, value)
        break
      }
      case "Ack":
        outbox.begin(Wire.Kind.ack, frame.id).int(frame.count)
        break
      case "Interrupt":
        outbox.begin(Wire.Kind.interrupt, frame.id)
    }
  }
  outbox.flush()
  const [head] = posted
  return typeof head === "string" ? Buffer.from(head, "latin1") : new Uint8Array(head as ArrayBuffer)
}

const kinds = { Reply: Wire.Kind.reply, Failure: Wire.Kind.failure, Signal: Wire.Kind.signal }

const shaped = (bytes: Uint8Array<ArrayBuffer>, as: Message["as"]): unknown => {
  switch (as) {
    case "text":
      return Buffer.from(bytes).toString("latin1")
    case "bytes":
      return bytes
    case "buffer":
      return bytes.slice().buffer
    case "with a list":
      return [bytes, new ArrayBuffer(8), new ArrayBuffer(0)]
    case "with a list of something else":
      return [bytes, null, "text", { byteLength: 8 }, new Uint8Array(8)]
  }
}
