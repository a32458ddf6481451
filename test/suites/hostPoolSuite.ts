import { assert, layer } from "@effect/vitest"
import { Deadline, HostCallError, HostPool, type Thread } from "@fiberhost/core"
import {
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  LogLevel,
  Option,
  Queue,
  References,
  Schema,
  SchemaTransformation,
  Stream,
  Tracer
} from "effect"
import { TestClock } from "effect/testing"
import { idsOf, OddThing, StreamEnd, TooSmall, Work } from "../fixtures/work.ts"

/** What a host pool promises, wherever it runs its functions. One pool serves all tests that do not close it. */
export const hostPoolSuite = (name: string, pool: Layer.Layer<Work, Thread.ThreadError>) =>
  layer(pool)(name, (it) => {
    /** Where the function runs on a thread, it hears of things a little later. */
    const soon = <E>(check: Effect.Effect<boolean, E>) => Effect.repeat(check, { until: (it) => it })
    /** Until nothing more happens to a number that another thread counts. */
    const atRest = <E>(number: Effect.Effect<number, E>) =>
      Effect.gen(function* () {
        let before = -1
        for (let now = yield* number, same = 0; same < 50; now = yield* number) {
          same = now === before ? same + 1 : 0
          before = now
        }
        return before
      })
    /** What functions remember is their thread's: the calls of such a test go to one. */
    const together = <A, E, R>(test: Effect.Effect<A, E, R>) => HostPool.pinned(test, name)
    const failure = <A>(call: Effect.Effect<A, unknown>) =>
      Effect.map(Effect.flip(call), (error) => {
        assert.instanceOf(error, HostCallError.HostCallError)
        return error
      })

    it.effect("answers, and fails with the function's own typed failure", () =>
      Effect.gen(function* () {
        const work = yield* Work
        assert.strictEqual(yield* work.double({ n: 21 }), 42)
        assert.isUndefined(yield* work.nothing())
        const error = yield* Effect.flip(work.double({ n: -1 }))
        assert.strictEqual(error._tag, "TooSmall")
        assert.instanceOf(error, TooSmall)
      })
    )

    it.effect("a defect, an interruption and a refused answer are told apart, and others go on", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const died = yield* failure(work.die({ message: "the bug" }))
        assert.strictEqual(died.reason._tag, "Defect")
        assert.match(died.message, /host function "die".*the bug/)
        assert.strictEqual((yield* failure(work.refuse())).reason._tag, "AnswerRefused")
        assert.strictEqual((yield* failure(work.interrupt())).reason._tag, "Interrupted")
        assert.strictEqual(yield* work.double({ n: 1 }), 2)
      })
    )

    it.effect("a function runs under what is left of its caller's deadline", () =>
      Effect.gen(function* () {
        const work = yield* Work
        assert.strictEqual(yield* work.timeLeft(), Infinity)
        const left = yield* work.timeLeft().pipe(Deadline.within("1 hour"), Deadline.within("2 hours"))
        assert.isAtMost(left, 3_600_000)
        assert.isAbove(left, 0)
        assert.isAbove(yield* work.timeLeft().pipe(Deadline.within(1e17)), 1e15)
      })
    )

    it.effect("a function runs in the span that it is called in, and makes its own under it", () =>
      Effect.gen(function* () {
        const work = yield* Work
        for (const sampled of [true, false]) {
          const calls = Effect.gen(function* () {
            const caller = idsOf(yield* Effect.currentSpan)
            const id = `${name}: ${sampled}`
            const found = [
              yield* work.surroundings(),
              yield* work.surroundings.try(),
              ...(yield* Stream.runCollect(work.surroundingsOf({ elements: 3 }))),
              yield* Effect.retry(work.surroundingsAfter({ id, failures: 2 }), { times: 2 })
            ]
            return found.map((surroundings) => ({ caller, surroundings }))
          })
          for (const { caller, surroundings } of yield* Effect.withSpan(calls, "caller", { sampled })) {
            assert.strictEqual(caller.sampled, sampled)
            assert.deepStrictEqual(surroundings.span, Option.some(caller))
            assert.deepStrictEqual(surroundings.madeIn, Option.some(caller))
            const { made } = surroundings
            assert.deepStrictEqual(made, { ...caller, spanId: made.spanId })
            assert.notStrictEqual(made.spanId, caller.spanId)
          }
        }
      }).pipe(together)
    )

    it.effect("calls that are made in different spans at once are each in its own", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const call = Effect.all({ caller: Effect.map(Effect.currentSpan, idsOf), found: work.surroundings() })
        const calls = Effect.forEach(
          Array.from({ length: 30 }, (_, i) => Effect.withSpan(call, `caller ${i}`, { sampled: i % 3 > 0 })),
          (call) => Effect.all([call, call]),
          { concurrency: "unbounded" }
        )
        for (const { caller, found } of (yield* Effect.withSpan(calls, "outer")).flat()) {
          assert.deepStrictEqual(found.madeIn, Option.some(caller))
        }
      })
    )

    it.effect("a function that is called in no span has none", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const { surroundings, surroundingsOf } = HostPool.promises(work)
        const found = [
          yield* work.surroundings(),
          ...(yield* Stream.runCollect(work.surroundingsOf({ elements: 1 }))),
          yield* Effect.promise(() => surroundings()).pipe(Effect.withSpan("not the promise's"))
        ]
        yield* Effect.promise(async () => {
          for await (const surroundings of surroundingsOf({ elements: 1 })) found.push(surroundings)
        })
        for (const { made, madeIn, span } of found) {
          assert.isTrue(Option.isNone(span))
          assert.isTrue(Option.isNone(madeIn))
          assert.isTrue(made.sampled)
        }
      })
    )

    it.effect("a function that is interrupted is in its caller's span to its end", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const id = `${name}: in a span`
        const [caller, call] = yield* Effect.gen(function* () {
          const hang = Effect.forkDetach(work.surroundingsAtEnd({ id }), { startImmediately: true })
          return [idsOf(yield* Effect.currentSpan), yield* hang] as const
        }).pipe(Effect.withSpan("caller"))
        yield* work.double({ n: 1 })
        yield* Fiber.interrupt(call)
        yield* soon(Effect.map(work.atEnd({ id }), Option.isSome))
        assert.deepStrictEqual((yield* Effect.fromOption(yield* work.atEnd({ id }))).madeIn, Option.some(caller))
      }).pipe(together)
    )

    it.effect("a span that is kept to itself is passed over, and of a tracer that is off nothing is recorded", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const inner = work
          .surroundings()
          .pipe(Effect.withSpan("hidden", { annotations: Context.make(Tracer.DisablePropagation, true) }))
        const { found, outer } = yield* Effect.all({
          found: inner,
          outer: Effect.map(Effect.currentSpan, idsOf)
        }).pipe(Effect.withSpan("outer"))
        assert.deepStrictEqual(found.madeIn, Option.some(outer))
        const off = yield* work.surroundings().pipe(Effect.withTracerEnabled(false), Effect.withSpan("outer"))
        assert.isFalse(off.made.sampled)
      })
    )

    it.effect("a function runs at the log level that was set around its caller, otherwise at its pool's", () =>
      Effect.gen(function* () {
        const work = yield* Work
        assert.strictEqual((yield* work.surroundings()).logLevel, "Info")
        for (const level of LogLevel.values) {
          const at = Effect.provideService(References.MinimumLogLevel, level)
          assert.strictEqual((yield* at(work.surroundings())).logLevel, level)
          const streamed = yield* at(Stream.runCollect(work.surroundingsOf({ elements: 1 })))
          assert.deepStrictEqual(
            streamed.map(({ logLevel }) => logLevel),
            [level]
          )
        }
        const silent = Effect.provideService(Layer.build(Layer.fresh(pool)), References.MinimumLogLevel, "None")
        const other = yield* Effect.provide(Work, yield* silent)
        assert.strictEqual((yield* other.surroundings()).logLevel, "None")
        const asked = Effect.provideService(other.surroundings(), References.MinimumLogLevel, "Info")
        assert.strictEqual((yield* asked).logLevel, "Info")
        // As a caller without Effect has it.
        const alone = yield* Effect.promise(() => Effect.runPromise(other.surroundings()))
        assert.strictEqual(alone.logLevel, "None")
      })
    )

    it.effect("refuses arguments that do not fit, with the path to them", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const { reason } = yield* failure(work.double({ n: 0.5 }))
        assert.strictEqual(reason._tag, "ArgumentsRefused")
        assert.strictEqual(reason._tag === "ArgumentsRefused" && reason.path, "n")
      })
    )

    it.effect("carries bytes of any length unchanged, and leaves the caller's alone", () =>
      Effect.gen(function* () {
        const work = yield* Work
        for (const length of [0, 1, 255, 256, 65_535, 65_536, 1 << 20, 1 << 24]) {
          const bytes = new Uint8Array(length).map((_, i) => i * 7)
          const copy = bytes.slice()
          const reversed = yield* work.reverse({ bytes })
          assert.isTrue(Buffer.compare(bytes, copy) === 0)
          assert.isTrue(Buffer.compare(reversed.reverse(), copy) === 0)
        }
      })
    )

    it.effect("interrupting a caller interrupts its function, and no other", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const hang = (id: string) => Effect.forkChild(work.hang({ id }), { startImmediately: true })
        const call = yield* hang(`${name}: interrupted`)
        const other = yield* hang(`${name}: other`)
        yield* Fiber.interrupt(call)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(call)))
        yield* soon(work.wasInterrupted({ id: `${name}: interrupted` }))
        assert.isFalse(yield* work.wasInterrupted({ id: `${name}: other` }))
        assert.isUndefined(other.pollUnsafe())
      }).pipe(together)
    )

    it.effect("closing it settles every call, those that run and those that wait for room", () =>
      Effect.gen(function* () {
        const calls = yield* Effect.scoped(
          Effect.gen(function* () {
            const work = yield* Effect.provide(Work, yield* Layer.build(Layer.fresh(pool)))
            return yield* Effect.forEach(
              Array.from({ length: 500 }, (_, i) => `${name}: closed ${i}`),
              (id) => Effect.forkDetach(failure(work.hang({ id })), { startImmediately: true })
            )
          })
        )
        for (const call of calls) assert.strictEqual((yield* Fiber.join(call)).reason._tag, "Closed")
      })
    )

    it.effect("a defect of any kind, and an answer that cannot be read, fail their own call and no other", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const other = yield* Effect.forkChild(Effect.flip(work.hang({ id: `${name}: odd` })), {
          startImmediately: true
        })
        for (const what of OddThing.literals) {
          const error = yield* failure(work.dieOf({ what }))
          assert.strictEqual(error.reason._tag, "Defect", what)
          assert.match(error.message, /host function "dieOf" failed with a defect: /)
        }
        const { reason } = yield* failure(work.trap())
        assert.strictEqual(reason._tag, "AnswerRefused")
        assert.isUndefined(other.pollUnsafe())
      })
    )

    it.effect("arguments that throw when they are read fail their own call and no other", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const trap = {
          get n(): number {
            throw new Error("the trap")
          }
        }
        const calls = yield* Effect.all([work.double({ n: 1 }), failure(work.double(trap)), work.double({ n: 2 })], {
          concurrency: "unbounded"
        })
        assert.strictEqual(calls[0], 2)
        assert.strictEqual(calls[1].reason._tag, "ArgumentsRefused")
        assert.strictEqual(calls[2], 4)
      })
    )

    it.effect("after drain calls fail with Closed, and it completes when those that are in have settled", () =>
      Effect.gen(function* () {
        const work = yield* Effect.provide(Work, yield* Layer.build(Layer.fresh(pool)))
        const call = yield* Effect.forkChild(failure(work.hang({ id: `${name}: drained` })), { startImmediately: true })
        const drained = yield* Effect.forkChild(HostPool.drain(work), { startImmediately: true })
        assert.strictEqual((yield* failure(work.double({ n: 1 }))).reason._tag, "Closed")
        const ended = yield* failure(Stream.runDrain(work.count({ id: `${name}: drained`, to: 1 })))
        assert.strictEqual(ended.reason._tag, "Closed")
        assert.isUndefined(drained.pollUnsafe())
        yield* Fiber.interrupt(call)
        yield* Fiber.join(drained)
        assert.strictEqual(HostPool.stats(work).active, 0)
      })
    )

    it.effect("streams elements in order, however many, and then ends", () =>
      Effect.gen(function* () {
        const work = yield* Work
        for (const to of [0, 1, 16, 17, 1000]) {
          const numbers = yield* Stream.runCollect(work.count({ id: `${name}: all`, to }))
          assert.deepStrictEqual(
            numbers,
            Array.from({ length: to }, (_, n) => n)
          )
        }
      })
    )

    it.effect("a reader that is slow suspends the function that it reads from", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const id = `${name}: slow`
        const taken = yield* Queue.bounded<void>(1)
        const reader = yield* Effect.forkChild(
          Stream.runForEach(work.count({ id, to: 1000 }), () => Queue.take(taken)),
          { startImmediately: true }
        )
        let last = 0
        for (let read = 0; read < 200; read += 50) {
          const emitted = yield* atRest(work.emitted({ id }))
          // A window of 16 elements is under way, one is with the reader, as many with its stream, one in the function's hand.
          assert.isAtMost(emitted, read + 2 * 16 + 2)
          assert.isAtLeast(emitted, last)
          last = emitted
          for (let i = 0; i < 50; i++) yield* Queue.offer(taken, undefined)
        }
        assert.isAbove(last, 100)
        assert.isUndefined(reader.pollUnsafe())
      }).pipe(together)
    )

    it.effect("a reader that stops early, or is interrupted, interrupts the function", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const early = yield* Stream.runCollect(Stream.take(work.count({ id: `${name}: early`, to: -1 }), 20))
        assert.strictEqual(early.length, 20)
        yield* soon(work.wasInterrupted({ id: `${name}: early` }))

        const reader = yield* Effect.forkChild(
          Stream.runForEach(work.count({ id: `${name}: left`, to: -1 }), () => Effect.never),
          { startImmediately: true }
        )
        yield* soon(Effect.map(work.emitted({ id: `${name}: left` }), (n) => n > 0))
        yield* Fiber.interrupt(reader)
        yield* soon(work.wasInterrupted({ id: `${name}: left` }))
      }).pipe(together)
    )

    for (const how of StreamEnd.literals) {
      it.effect(`a stream that ends by ${how} gives what it emitted before, and then says so`, () =>
        Effect.gen(function* () {
          const work = yield* Work
          const elements: Array<number> = []
          const error = yield* Effect.flip(
            Stream.runForEach(work.end({ how }), (element) => Effect.sync(() => elements.push(element)))
          )
          assert.deepStrictEqual(elements, [0, 1])
          if (how === "failure") {
            assert.instanceOf(error, TooSmall)
            assert.strictEqual(error._tag === "TooSmall" && error.least, 7)
          } else {
            const expected = {
              defect: "Defect",
              throw: "Defect",
              interruption: "Interrupted",
              refused: "AnswerRefused"
            }
            assert.strictEqual(error._tag === "HostCallError" ? error.reason._tag : error._tag, expected[how])
          }
          assert.strictEqual(yield* work.double({ n: 1 }), 2)
        })
      )
    }

    it.effect("a stream's function has a scope of its own, which ends with the stream", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const id = `${name}: scoped`
        assert.deepStrictEqual(yield* Stream.runCollect(work.scoped({ id })), ["open"])
        assert.isTrue(yield* work.wasInterrupted({ id }))
      }).pipe(together)
    )

    it.effect("through promises: answers, typed rejections, an AbortSignal, and async iterables that end early", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const { count, double, emitted, hang, wasInterrupted } = HostPool.promises(work)
        const key = name
        const rejection = (promise: Promise<unknown>) =>
          Effect.promise(() =>
            promise.then(
              () => assert.fail("it did not reject"),
              (error: unknown) => error
            )
          )
        assert.strictEqual(yield* Effect.promise(() => double({ n: 4 })), 8)
        assert.instanceOf(yield* rejection(double({ n: -1 })), TooSmall)
        assert.instanceOf(yield* rejection(double({ n: 0.5 })), HostCallError.HostCallError)

        const reason = new Error("enough")
        const [call, stream] = [new AbortController(), new AbortController()]
        const hanging = hang({ id: `${name}: aborted` }, { signal: call.signal, key })
        const endless = async () => {
          const id = `${name}: aborted stream`
          for await (const n of count({ id, to: -1 }, { signal: stream.signal, key }))
            if (n === 40) stream.abort(reason)
        }
        call.abort(reason)
        assert.strictEqual(yield* rejection(hanging), reason)
        assert.strictEqual(yield* rejection(endless()), reason)
        assert.strictEqual(yield* rejection(double({ n: 1 }, { signal: call.signal })), reason)

        const taken: Array<number> = []
        yield* Effect.promise(async () => {
          for await (const n of count({ id: `${name}: iterated`, to: -1 }, { key })) if (taken.push(n) === 30) break
        })
        assert.strictEqual(taken.at(-1), 29)
        for (const id of ["aborted", "aborted stream", "iterated"]) {
          yield* soon(Effect.promise(() => wasInterrupted({ id: `${name}: ${id}` }, { key })))
        }
        assert.isAtMost(yield* Effect.promise(() => emitted({ id: `${name}: iterated` }, { key })), 30 + 2 * 16 + 2)
      })
    )

    it.effect("elements that are asked for at once come one after another, each once", () =>
      Effect.gen(function* () {
        const { count } = HostPool.promises(yield* Work)
        const signals = [undefined, new AbortController().signal]
        for (const signal of signals) {
          const elements = count({ id: `${name}: at once`, to: 20 }, signal && { signal })[Symbol.asyncIterator]()
          const taken = yield* Effect.promise(() => Promise.all(Array.from({ length: 22 }, () => elements.next())))
          assert.deepStrictEqual(
            taken.map(({ value }) => value),
            [...Array(20).keys(), undefined, undefined]
          )
        }
      })
    )

    it.effect("a reader that stops settles what he has asked for", () =>
      Effect.gen(function* () {
        const { count } = HostPool.promises(yield* Work)
        const elements = count({ id: `${name}: stopped`, to: -1 })[Symbol.asyncIterator]()
        yield* Effect.promise(() => elements.next())
        const asked = Array.from({ length: 100 }, () => elements.next())
        yield* Effect.promise(() => elements.return!())
        const last = (yield* Effect.promise(() => Promise.all(asked))).at(-1)
        assert.deepStrictEqual(last, { done: true, value: undefined })
      })
    )

    it.effect("closing it ends streams with Closed", () =>
      Effect.gen(function* () {
        const reader = yield* Effect.scoped(
          Effect.gen(function* () {
            const work = yield* Effect.provide(Work, yield* Layer.build(Layer.fresh(pool)))
            const id = `${name}: closed`
            const reader = yield* Effect.forkDetach(
              failure(Stream.runForEach(work.count({ id, to: -1 }), () => Effect.sleep(0))),
              { startImmediately: true }
            )
            yield* soon(Effect.map(work.emitted({ id }), (n) => n > 0))
            return reader
          })
        )
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Fiber.join(reader)).reason._tag, "Closed")
      }).pipe(together)
    )

    it.effect("ten thousand at once: each its own answer", () =>
      Effect.gen(function* () {
        const work = yield* Work
        const ns = Array.from({ length: 10_000 }, (_, n) => n)
        const answers = yield* Effect.forEach(ns, (n) => work.double({ n }), { concurrency: "unbounded" })
        assert.deepStrictEqual(
          answers,
          ns.map((n) => 2 * n)
        )
      })
    )
  })

/** A schema that counts how often its values are decoded. */
export const counted = () => {
  const count = { decoded: 0 }
  const schema = Schema.String.pipe(
    Schema.decodeTo(
      Schema.String,
      SchemaTransformation.transform({
        decode: (text) => {
          count.decoded++
          return text
        },
        encode: (text) => text
      })
    )
  )
  return { count, schema }
}
