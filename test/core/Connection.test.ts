import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Codec, CodecError, Connection, RingBuffer, Wire } from "@fiberhost/core"
import { Effect, LogLevel, Result, Tracer } from "effect"
import { randomOf } from "../fixtures/random.ts"
import { portPair, settled, until } from "../fixtures/workThreads.ts"

const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)

/** A call of one argument, and what it is told. */
const callOf = (
  value: Uint8Array,
  written: (writer: Codec.Writer) => CodecError.CodecError | undefined = () => undefined
) => {
  const told: Array<unknown> = []
  const call: Connection.OutgoingCall = {
    target: 3,
    index: 2,
    caller: 1,
    flags: Connection.typedFlag,
    writeArguments: (writer) => {
      Wire.writeValue(writer, value)
      return written(writer)
    },
    onReply: (reader) => told.push(["reply", ...Wire.readValue(reader)]),
    onFailure: (reader) => told.push(["failure", ...Wire.readValue(reader)]),
    onChunk: (reader, count) => {
      for (let i = 0; i < count; i++) told.push(["chunk", ...Wire.readValue(reader)])
    },
    onLost: ({ exitCode }) => told.push(["lost", exitCode])
  }
  return { call, told }
}

const nobody: Connection.Server = {
  awaitsMessage: false,
  onCall: (_, reader) => reader.malformed(reader.offset, "nobody is called"),
  onInterrupt: () => {},
  onAck: () => {},
  onSignal: (_, reader) => Wire.readValue(reader)
}

type Answer = (to: Connection.Connection, id: number, argument: Uint8Array) => void

/** Two ends, the other one a server that notes what it is told; `answer` says how it answers a call. */
const connectOver = (sharesMemory: boolean, answer: Answer) => {
  const [near, far] = portPair(sharesMemory)
  const served: Array<unknown> = []
  const faults: Array<string> = []
  const messages: Array<unknown> = []
  /** What went as a text, or to the ring. */
  const sent: Array<ReadonlyArray<number>> = []
  const counting: Wire.Port = {
    ...near,
    post: (message, transfer) => {
      messages.push(structuredClone(message))
      if (typeof message === "string") sent.push(Array.from(message, (character) => character.charCodeAt(0)))
      near.post(message, transfer)
    }
  }
  if (near.ringBuffers !== undefined) {
    vi.spyOn(near.ringBuffers.out, "write").mockImplementation(function (this: RingBuffer.RingBuffer, bytes, length) {
      sent.push(Array.from(bytes.subarray(0, length)))
      RingBuffer.RingBuffer.prototype.write.call(this, bytes, length)
    })
  }
  const caller = new Connection.Connection(counting, nobody, (detail) => faults.push(detail))
  const server: Connection.Connection = new Connection.Connection(
    far,
    {
      awaitsMessage: false,
      onCall: ({ id, ...call }, reader) => {
        const argument = Wire.readValue(reader)
        served.push(["call", call, ...argument.slice(0, 4)])
        answer(server, id, argument)
      },
      onInterrupt: (id) => served.push(["interrupt", id]),
      onAck: (id, count) => served.push(["ack", id, count]),
      onSignal: (id, reader) => served.push(["signal", id, ...Wire.readValue(reader)])
    },
    (detail) => faults.push(detail)
  )
  /** Sends the caller what its server did not write. */
  const say = (bytes: Uint8Array) => {
    if (far.ringBuffers === undefined) return far.post(bytes, [])
    far.ringBuffers.out.write(bytes, bytes.length)
    if (far.ringBuffers.out.claimWake()) far.post(Wire.wake, [])
  }
  return { caller, server, served, faults, messages, say, sent }
}

/** Notes the signals that come to an end. */
const serverOf = (port: Wire.Port) => {
  const served: Array<unknown> = []
  const server: Connection.Server = {
    awaitsMessage: false,
    onCall: () => {},
    onInterrupt: () => {},
    onAck: () => {},
    onSignal: (id, reader) => served.push(["signal", id, ...Wire.readValue(reader)])
  }
  new Connection.Connection(port, server, assert.fail)
  return { server, served }
}

const idOf = (id: number | CodecError.CodecError): number => (typeof id === "number" ? id : assert.fail(id.message))
const writes =
  (...values: ReadonlyArray<number>) =>
  (writer: Codec.Writer) =>
    void writer.raw(bytes(...values))
const refusal = new CodecError.CodecError({
  direction: "encode",
  path: "x",
  reason: new CodecError.DoesNotFit({ message: "no" })
})
const refusedAfter = (value: number) => (writer: Codec.Writer) => {
  writer.raw(bytes(value))
  return refusal
}

describe.for([
  { name: "over a port", sharesMemory: false },
  { name: "over a port with shared memory", sharesMemory: true }
])("Connection $name", ({ sharesMemory }) => {
  const connect = (answer: Answer = () => {}) => connectOver(sharesMemory, answer)

  it.effect("carries a call with all that belongs to it, and its one answer", () =>
    Effect.gen(function* () {
      const { caller, faults, served, server } = connect((to, id, [kind]) => {
        if (kind === 0) to.reply(id, bytes(1, 2))
        else if (kind === 1) to.fail(id, bytes(3))
        else {
          to.chunkWith(id, [writes(4), writes(5, 6)])
          to.chunkWith(id, [writes()])
          to.replyWith(id, writes(7))
        }
      })
      const calls = [0, 1, 2].map((kind) => callOf(bytes(kind, 9)))
      for (const { call } of calls) caller.call(call)
      yield* settled
      assert.deepStrictEqual(
        calls.map(({ told }) => told),
        [[["reply", 1, 2]], [["failure", 3]], [["chunk", 4], ["chunk", 5, 6], ["chunk"], ["reply", 7]]]
      )
      assert.deepStrictEqual(served[0], [
        "call",
        { target: 3, index: 2, caller: 1, flags: 1, timeLeft: Infinity, callerContext: undefined },
        0,
        9
      ])
      assert.deepStrictEqual([caller.pending, server.pending, faults], [[], [], []])
    })
  )

  it.effect("carries a caller's span and log level, and of one that has neither not a byte", () =>
    Effect.gen(function* () {
      const { caller, sent, served } = connect()
      const span = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: false })
      const [none, inSpan, silent] = [new Codec.Writer(), new Codec.Writer(), new Codec.Writer()]
      none.nil()
      none.nil()
      inSpan.str(span.traceId)
      inSpan.str(span.spanId)
      inSpan.bool(false)
      inSpan.nil()
      silent.nil()
      silent.int(LogLevel.values.indexOf("None"))
      const contexts = [
        [undefined, undefined],
        [none.take(), { span: undefined, logLevel: undefined }],
        [inSpan.take(), { span, logLevel: undefined }],
        [silent.take(), { span: undefined, logLevel: "None" }]
      ] as const
      for (const [callerContext] of contexts) {
        caller.call({ ...callOf(bytes(9)).call, timeLeft: 1000, callerContext })
        caller.flush()
      }
      yield* settled
      const calls = served.map((it) => (it as [string, Connection.IncomingCall])[1])
      assert.deepStrictEqual(
        calls.map(({ callerContext, timeLeft }) => ({ callerContext, timeLeft })),
        contexts.map(([, callerContext]) => ({ callerContext, timeLeft: 1000 }))
      )
      // Kind, id, target, function, caller, flags, three bytes of milliseconds, four of a length, the value.
      const flags = Connection.typedFlag | Connection.deadlineFlag
      assert.deepStrictEqual(sent[0], [1, 1, 3, 2, 1, flags, 0xcd, 3, 0xe8, 0, 0, 0, 1, 9])
    })
  )

  it.effect("a caller's context that is none is a fault", () =>
    Effect.gen(function* () {
      const text = (value: string) => [0xd9, Buffer.byteLength(value), ...Buffer.from(value)]
      const nil = 0xc0
      for (const [context, fault] of [
        [[nil, nil], /nobody is called/],
        [[...text("trace"), ...text("span"), 0xc2, 0], /nobody is called/],
        [[...text(""), ...text("span"), 0xc2, nil], /id of a trace or of a span/],
        [[...text("trace"), ...text("a span"), 0xc2, nil], /id of a trace or of a span/],
        [[...text("trace"), ...text("\u00e9"), 0xc2, nil], /id of a trace or of a span/],
        [[...text("x".repeat(65)), ...text("span"), 0xc2, nil], /id of a trace or of a span/],
        [[7, 7, 0xc2, nil], /string/],
        [[...text("trace"), ...text("span"), 2, nil], /boolean/],
        [[nil, LogLevel.values.length], /log level/],
        [[nil, 0xff], /log level/],
        [[nil, ...text("Info")], /integer/],
        [[], /the bytes end in the middle/]
      ] as const) {
        const { faults, say } = connect()
        say(bytes(Wire.Kind.call, 1, 0, 0, 0, Connection.contextFlag, ...context))
        yield* settled
        assert.strictEqual(faults.length, 1)
        assert.match(faults[0]!, fault)
      }
    })
  )

  it.effect("carries interruptions, acknowledgements and signals in order", () =>
    Effect.gen(function* () {
      const { caller, served } = connect()
      const id = idOf(caller.call(callOf(bytes(1)).call))
      caller.ack(id, 300)
      caller.interrupt(id)
      caller.signal(7, bytes(1, 2))
      yield* settled
      assert.deepStrictEqual(served.slice(1), [
        ["ack", id, 300],
        ["interrupt", id],
        ["signal", 7, 1, 2]
      ])
      // It is still waited for: an interrupted call is answered once, like any other.
      assert.strictEqual(caller.pending.length, 1)
    })
  )

  it.effect("carries values of any length, many to a message, each to its own call", () =>
    Effect.gen(function* () {
      const { caller, messages } = connect((to, id, argument) => to.reply(id, argument.slice()))
      const lengths = [0, 1, 127, 128, 255, 256, 16_383, 16_384, 65_536, 300_000]
      const calls = Array.from({ length: 500 }, (_, i) => {
        const length = lengths[i % lengths.length]!
        return { length, i, ...callOf(new Uint8Array(length).fill(i)) }
      })
      for (const { call } of calls) caller.call(call)
      yield* until(() => calls.every(({ told }) => told.length > 0))
      for (const { i, length, told } of calls) {
        const [[kind, ...values], ...others] = told as [[string, ...Array<number>]]
        assert.deepStrictEqual([kind, others.length, values.length], ["reply", 0, length])
        assert.isTrue(values.every((value) => value === (i & 0xff)))
      }
      assert.isBelow(messages.length, calls.length / 2)
    })
  )

  it.effect("arguments or answers that do not fit are not sent, and spoil no neighbour", () =>
    Effect.gen(function* () {
      const refusals: Array<unknown> = []
      const { caller, faults, served } = connect((to, id) => {
        refusals.push(to.chunkWith(id, [writes(1), refusedAfter(2)]), to.replyWith(id, refusedAfter(3)))
        to.reply(id, bytes(4))
      })
      const [before, refused, after] = [callOf(bytes(1)), callOf(bytes(2), () => refusal), callOf(bytes(3))]
      caller.call(before.call)
      assert.strictEqual(caller.call(refused.call), refusal)
      caller.call(after.call)
      yield* settled
      assert.deepStrictEqual(
        [before.told, refused.told, after.told],
        [
          [
            ["chunk", 1],
            ["reply", 4]
          ],
          [],
          [
            ["chunk", 1],
            ["reply", 4]
          ]
        ]
      )
      assert.deepStrictEqual(refusals, [refusal, refusal, refusal, refusal])
      assert.deepStrictEqual([served.length, faults], [2, []])
    })
  )

  it.effect("arguments may call, interrupt and flush while they are written, whether they fit or not", () =>
    Effect.gen(function* () {
      const { caller, faults, served } = connect((to, id, argument) => to.reply(id, argument.slice()))
      const earlier = callOf(bytes(1))
      const earlierId = idOf(caller.call(earlier.call))
      const inner = callOf(bytes(3))
      const innermost = callOf(bytes(4))
      const outer = callOf(bytes(2), () => {
        caller.interrupt(earlierId)
        const nested = {
          ...inner.call,
          writeArguments: (writer: Codec.Writer) => {
            caller.call(innermost.call)
            return inner.call.writeArguments(writer)
          }
        }
        caller.call(nested)
        caller.flush()
        return undefined
      })
      caller.call(outer.call)
      const late = callOf(bytes(6))
      const refused = callOf(bytes(5), () => {
        caller.call(late.call)
        return refusal
      })
      assert.strictEqual(caller.call(refused.call), refusal)
      yield* settled
      yield* settled
      assert.deepStrictEqual(
        [earlier, outer, inner, innermost, refused, late].map(({ told }) => told),
        [[["reply", 1]], [["reply", 2]], [["reply", 3]], [["reply", 4]], [], [["reply", 6]]]
      )
      assert.deepStrictEqual([faults, caller.pending], [[], []])
      assert.deepInclude(served, ["interrupt", earlierId])
    })
  )

  it.effect("what arguments send, and what their arguments send, arrives in its order", () =>
    Effect.gen(function* () {
      const { caller, faults, served } = connect((to, id, argument) => to.reply(id, argument.slice()))
      const arrived = () => served.map((each) => (each as ReadonlyArray<unknown>)[1])
      const send = (depth: number, signal: number): void => {
        caller.signalWith(signal, () => {
          if (depth === 0) return undefined
          caller.interrupt(signal + 1)
          send(depth - 1, signal + 2)
          caller.interrupt(signal + 100)
          send(0, signal + 101)
          return depth === 2 ? refusal : undefined
        })
      }
      send(3, 1)
      caller.interrupt(200)
      yield* settled
      yield* settled
      // Of the second nothing is sent but what it sent itself.
      assert.deepStrictEqual(arrived(), [1, 2, 4, 5, 6, 7, 105, 106, 103, 104, 101, 102, 200])
      assert.deepStrictEqual(faults, [])
    })
  )

  it.effect("its end tells every call that has no answer, once, and those that come later at once", () =>
    Effect.gen(function* () {
      const { caller, served } = connect((to, id, [kind]) => {
        if (kind === 0) to.reply(id, bytes())
      })
      const calls = [0, 1, 1].map((kind) => callOf(bytes(kind)))
      for (const { call } of calls) caller.call(call)
      yield* settled
      caller.end({ exitCode: 1, detail: "" })
      caller.end({ exitCode: 2, detail: "" })
      const late = callOf(bytes(1))
      caller.call(late.call)
      yield* settled
      assert.deepStrictEqual(
        [...calls, late].map(({ told }) => told),
        [[["reply"]], [["lost", 1]], [["lost", 1]], [["lost", 1]]]
      )
      assert.strictEqual(served.length, 3)
      assert.deepStrictEqual(caller.pending, [])
    })
  )

  it.effect("whatever the other side sends, it reports it and no call is forgotten or told twice", () =>
    Effect.gen(function* () {
      const next = randomOf(42)
      const random = (below: number) => Math.floor(next() * below)
      let faulty = 0
      for (let round = 0; round < 300; round++) {
        const { caller, faults, say } = connect()
        const calls = Array.from({ length: 3 }, () => callOf(bytes(1)))
        for (const { call } of calls) caller.call(call)
        for (let i = 0; i < 3; i++) {
          // Frames of every kind for calls that there are and are not, cut and garbled.
          const frame = [1 + random(8), random(5), random(3), 0, 0, 0, random(4), random(256), random(256)]
          say(Uint8Array.from(frame.slice(0, 1 + random(frame.length))))
        }
        yield* settled
        faulty += faults.length > 0 ? 1 : 0
        caller.end({ exitCode: undefined, detail: "" })
        for (const { told } of calls) {
          const ends = told.filter((it) => (it as Array<unknown>)[0] !== "chunk")
          assert.strictEqual(ends.length, 1, JSON.stringify(told))
        }
      }
      assert.isAbove(faulty, 100)
    })
  )
})

describe("a connection that shares memory", () => {
  afterEach(() => void vi.restoreAllMocks())

  /** Signals that have come over, by their ids. */
  const signals = (server: ReturnType<typeof connectOver>["served"]) =>
    server.flatMap((it) => ((it as [string, number])[0] === "signal" ? [(it as [string, number])[1]] : []))
  const wakes = (messages: ReadonlyArray<unknown>) => messages.filter((message) => message === Wire.wake).length

  it.effect("keeps the order of what goes through it and what must be posted", () =>
    Effect.gen(function* () {
      const { caller, faults, served } = connectOver(true, () => {})
      const lengths = [1, 100, 20_000, 5000]
      for (let i = 0; i < 200; i++) {
        caller.signal(i, new Uint8Array(lengths[i % lengths.length]!))
        if (i % 3 === 0) caller.flush()
        if (i % 50 === 49) yield* settled
      }
      yield* until(() => served.length === 200)
      assert.deepStrictEqual(
        signals(served),
        Array.from({ length: 200 }, (_, i) => i)
      )
      assert.deepStrictEqual(faults, [])
    })
  )

  it.effect("a writer who has not counted as a writer does is a fault, once", () =>
    Effect.gen(function* () {
      const [near, far] = portPair(true)
      const faults: Array<string> = []
      const caller = new Connection.Connection(near, nobody, (detail) => faults.push(detail))
      const { call, told } = callOf(bytes(1))
      caller.call(call)
      const written = new Int32Array(near.ringBuffers!.in.memory, 0, 1)
      for (const [i, more] of [-1, 70_000, 2 ** 31 - 1, -(2 ** 31)].entries()) {
        Atomics.add(written, 0, more)
        far.post(Wire.wake, [])
        yield* settled
        assert.lengthOf(faults, i + 1)
        assert.match(faults[i]!, /a ring of 65536 bytes holds/)
      }
      caller.end({ exitCode: 1, detail: "it was terminated" })
      assert.deepStrictEqual(told, [["lost", 1]])
    })
  )

  it("reads what lies there before the message that follows it", () => {
    // A turn ends after a millisecond of the wall clock: here it does not.
    vi.spyOn(performance, "now").mockReturnValue(1000)
    const [toReader, toWriter] = [new RingBuffer.RingBuffer(), new RingBuffer.RingBuffer()]
    let deliver: (message: unknown) => void = () => {}
    const { server, served } = serverOf({
      ringBuffers: { out: toWriter, in: new RingBuffer.RingBuffer(toReader.memory) },
      post: () => {},
      listen: (onMessage) => {
        deliver = onMessage
      }
    })
    const writer = new Connection.Connection(
      {
        ringBuffers: { out: toReader, in: new RingBuffer.RingBuffer(toWriter.memory) },
        // Nobody wakes the reader: he has only the messages that follow.
        post: (message, transfer) => {
          if (message !== Wire.wake) deliver(structuredClone(message, { transfer: [...transfer] }))
        },
        listen: () => {}
      },
      server,
      assert.fail
    )
    for (let i = 0; i < 9; i++) {
      writer.signal(i, new Uint8Array(i % 3 === 2 ? 20_000 : 1))
      writer.flush()
    }
    assert.deepStrictEqual(signals(served), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it.effect("wakes a side that sleeps once, however much is said", () =>
    Effect.gen(function* () {
      const { caller, messages, served } = connectOver(true, () => {})
      for (let round = 1; round <= 3; round++) {
        for (let i = 0; i < 20; i++) {
          caller.signal(i, bytes(1))
          caller.flush()
        }
        yield* settled
        assert.deepStrictEqual([served.length, wakes(messages), messages.length], [20 * round, round, round])
      }
    })
  )

  it.effect("stays awake while one of its calls has no answer, though others have", () =>
    Effect.gen(function* () {
      // It would sleep in the end: here that does not come.
      vi.spyOn(performance, "now").mockReturnValue(1000)
      const [near, far] = portPair(true)
      const posted: Array<unknown> = []
      const answersLater: Connection.Server = {
        awaitsMessage: false,
        onCall: (_, reader) => void Wire.readValue(reader),
        onInterrupt: () => {},
        onAck: () => {},
        onSignal: (_, reader) => void Wire.readValue(reader)
      }
      const post: Wire.Port["post"] = (message, transfer) => {
        posted.push(message)
        far.post(message, transfer)
      }
      const server = new Connection.Connection({ ...far, post }, answersLater, assert.fail)
      const caller = new Connection.Connection({ ...near, busyPoll: 1 }, answersLater, assert.fail)
      const calls = [callOf(bytes(1)), callOf(bytes(2))]
      const ids = calls.map(({ call }) => idOf(caller.call(call)))
      yield* settled
      for (const [i, id] of ids.entries()) {
        server.reply(id, bytes(i))
        yield* until(() => calls[i]!.told.length === 1)
        yield* settled
      }
      assert.deepStrictEqual(posted, [])
      server.signal(1, bytes())
      yield* settled
      assert.deepStrictEqual(posted, [Wire.wake])
    })
  )

  it.effect("does not sleep over what came while it was about to", () =>
    Effect.gen(function* () {
      const [near, far] = portPair(true)
      const { server, served } = serverOf(far)
      const ring = far.ringBuffers!.in
      const caller = new Connection.Connection({ ...near, post: () => {} }, server, assert.fail)
      vi.spyOn(ring, "sleep").mockImplementationOnce(() => {
        caller.signal(2, bytes())
        caller.flush()
        return RingBuffer.RingBuffer.prototype.sleep.call(ring)
      })
      caller.signal(1, bytes())
      caller.flush()
      near.post(Wire.wake, [])
      yield* settled
      assert.deepStrictEqual(signals(served), [1, 2])
    })
  )

  it.effect("its end is told after what the other side has said before, though no message said that", () =>
    Effect.gen(function* () {
      const { caller, server } = connectOver(true, (to, id) => {
        to.reply(id, bytes())
        to.flush()
        caller.end({ exitCode: 1, detail: "" })
      })
      const answered = callOf(bytes(1))
      caller.call(answered.call)
      yield* settled
      assert.deepStrictEqual(answered.told, [["reply"]])
      assert.deepStrictEqual([caller.pending, server.pending], [[], []])
    })
  )

  it.effect("a frame that is taken back takes nothing along when room comes while it is written", () =>
    Effect.gen(function* () {
      const [near, far] = portPair(true)
      const { server, served } = serverOf(far)
      const caller = new Connection.Connection(near, server, assert.fail)
      for (let i = 1; i <= 8; i++) caller.signal(i, new Uint8Array(100))
      // The other side has read something between two looks.
      vi.spyOn(near.ringBuffers!.out, "hasRoom").mockImplementationOnce(() => false)
      const refused = caller.signalWith(9, (writer) => {
        writer.raw(new Uint8Array(200))
        return refusal
      })
      assert.strictEqual(refused, refusal)
      caller.signal(10, bytes())
      yield* settled
      assert.deepStrictEqual(signals(served), [1, 2, 3, 4, 5, 6, 7, 8, 10])
    })
  )
})

describe("a port that can be polled", () => {
  // A turn ends after a millisecond of the wall clock, which a busy machine may take for any line: here it stands still.
  beforeEach(() => void vi.spyOn(performance, "now").mockReturnValue(1000))
  afterEach(() => void vi.restoreAllMocks())

  /** A server's end whose messages wait in `waiting`, and the messages of `count` calls. */
  const polling = (count: number, awaitsMessage: (served: number) => boolean) => {
    const waiting: Array<unknown> = []
    const caller = new Connection.Connection(
      { post: (message) => waiting.push(structuredClone(message)), listen: () => {} },
      { awaitsMessage: false, onCall: () => {}, onInterrupt: () => {}, onAck: () => {}, onSignal: () => {} },
      assert.fail
    )
    for (let i = 0; i < count; i++) {
      caller.call(callOf(bytes(i)).call)
      caller.flush()
    }
    const log: Array<string> = []
    let served = 0
    let deliver: (message: unknown) => void = () => {}
    const server: Connection.Connection = new Connection.Connection(
      {
        post: () => log.push("posts"),
        listen: (onMessage) => {
          deliver = onMessage
        },
        poll: () => waiting.shift()
      },
      {
        get awaitsMessage() {
          return awaitsMessage(served)
        },
        onCall: ({ id }, reader) => {
          served++
          log.push(`serves ${Wire.readValue(reader)[0]}`)
          server.reply(id, bytes())
        },
        onInterrupt: () => {},
        onAck: () => {},
        onSignal: () => {}
      },
      assert.fail
    )
    return { deliver: () => deliver(waiting.shift()), log, waiting }
  }

  it("reads the messages that follow on the stack, and first posts what it has answered", () => {
    const { deliver, log, waiting } = polling(3, () => true)
    deliver()
    assert.deepStrictEqual(log, ["serves 0", "posts", "serves 1", "posts", "serves 2", "posts"])
    assert.deepStrictEqual(waiting, [])
  })

  it("leaves them when its server has something else to do", () => {
    const { deliver, log, waiting } = polling(3, (served) => served < 2)
    deliver()
    assert.deepStrictEqual(log, ["serves 0", "posts", "serves 1"])
    assert.strictEqual(waiting.length, 1)
  })
})

describe("a message", () => {
  it("that holds no frames is refused", () => {
    for (const message of [undefined, null, 1, {}, [], new Float64Array(1), [1]]) {
      const opened = Result.try(() => Wire.open(message, undefined))
      assert.isTrue(Result.isFailure(opened), String(message))
    }
  })
})
