import { assert, describe, it } from "@effect/vitest"
import { RingBuffer } from "@fiberhost/core"

/** A ring as its writer and its reader see it. */
const pair = () => {
  const writer = new RingBuffer.RingBuffer()
  return [writer, new RingBuffer.RingBuffer(writer.memory)] as const
}

const most = 64 * 1024

describe("RingBuffer", () => {
  it("hands over what was written since it was last read, in order", () => {
    const [writer, reader] = pair()
    assert.isUndefined(reader.read())
    writer.write(Uint8Array.of(1, 2, 99), 2)
    writer.write(Uint8Array.of(3), 1)
    assert.deepStrictEqual(reader.read(), Uint8Array.of(1, 2, 3))
    assert.isUndefined(reader.read())
    assert.isTrue(reader.isEmpty)
  })

  it("what was read stays as it was when more is written", () => {
    const [writer, reader] = pair()
    const all: Array<Uint8Array> = []
    for (let i = 0; i < 1000; i++) {
      writer.write(new Uint8Array(100).fill(i), 100)
      all.push(reader.read()!)
    }
    for (const [i, bytes] of all.entries()) assert.deepStrictEqual(bytes, new Uint8Array(100).fill(i))
  })

  it("has room for 64 KiB, and again when they were read", () => {
    const [writer, reader] = pair()
    assert.isTrue(writer.hasRoom(most))
    assert.isFalse(writer.hasRoom(most + 1))
    writer.write(new Uint8Array(most), most)
    assert.isFalse(writer.hasRoom(1))
    assert.lengthOf(reader.read()!, most)
    assert.isTrue(writer.hasRoom(most))
  })

  it("counts on where its counts wrap around", () => {
    for (const start of [0x7fff_ffff - 1000, -1000]) {
      const [writer, reader] = pair()
      // As after so many bytes that were all read.
      const counts = new Int32Array(writer.memory)
      counts[0] = counts[16] = start
      for (let i = 0; i < 40; i++) {
        const bytes = new Uint8Array(100).fill(i)
        assert.isTrue(writer.hasRoom(bytes.length))
        writer.write(bytes, bytes.length)
        assert.isFalse(reader.isEmpty)
        assert.deepStrictEqual(reader.read(), bytes)
      }
      assert.isTrue(writer.hasRoom(most))
      assert.isFalse(writer.hasRoom(most + 1))
    }
  })

  it("holds no more than it can, and no less than nothing: where its writer says so it is empty then", () => {
    const [writer, reader] = pair()
    const words = new Int32Array(writer.memory)
    for (const more of [-1, most + 1, 2 ** 31 - 1, -(2 ** 31)]) {
      Atomics.add(words, 0, more)
      assert.throws(() => reader.read())
      assert.isTrue(reader.isEmpty)
      writer.write(Uint8Array.of(7), 1)
      assert.deepStrictEqual(reader.read(), Uint8Array.of(7))
    }
  })

  it("has no room while a message was posted that is not taken: what follows it comes after it", () => {
    const [writer, reader] = pair()
    writer.posted()
    writer.posted()
    assert.isFalse(writer.hasRoom(1))
    assert.isTrue(reader.expectsMessage)
    reader.taken()
    assert.isFalse(writer.hasRoom(1))
    reader.taken()
    assert.isTrue(writer.hasRoom(1))
    assert.isFalse(reader.expectsMessage)
  })

  it("a reader is woken once when he sleeps, at first too, and does not sleep over what is there", () => {
    const [writer, reader] = pair()
    assert.deepStrictEqual([writer.claimWake(), writer.claimWake()], [true, false])
    assert.isTrue(reader.sleep())
    assert.deepStrictEqual([writer.claimWake(), writer.claimWake()], [true, false])
    writer.write(Uint8Array.of(1), 1)
    assert.isFalse(reader.sleep())
    assert.isFalse(writer.claimWake())
    reader.read()
    assert.isTrue(reader.sleep())
    reader.stayAwake()
    assert.isFalse(writer.claimWake())
    assert.deepStrictEqual([writer.hasWoken(), writer.hasWoken()], [true, false])
  })

  it("changes a number when something was written or posted", () => {
    const [writer, reader] = pair()
    const counts = [reader.changes]
    writer.write(Uint8Array.of(1), 1)
    counts.push(reader.changes)
    writer.posted()
    counts.push(reader.changes)
    reader.read()
    reader.taken()
    assert.deepStrictEqual(
      counts.map((count) => count - counts[0]!),
      [0, 1, 2]
    )
    assert.strictEqual(reader.changes, counts[2])
  })
})
