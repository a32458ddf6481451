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

  it("counts its bytes beyond the greatest integer of 32 bits", () => {
    const [writer, reader] = pair()
    const bytes = new Uint8Array(most - 1)
    // 2 GiB and some.
    for (let i = 0; i < 33_000; i++) {
      if (!writer.hasRoom(bytes.length)) assert.fail(`no room in round ${i}`)
      bytes[0] = i
      bytes[bytes.length - 1] = i
      writer.write(bytes, bytes.length)
      const read = reader.read()!
      if (read.length !== bytes.length || read[0] !== (i & 0xff) || read[read.length - 1] !== (i & 0xff)) {
        assert.fail(`other bytes in round ${i}`)
      }
    }
  })

  it("has no room while a message was posted that is not taken: what follows it comes after it", () => {
    const [writer, reader] = pair()
    writer.posted()
    writer.posted()
    assert.isFalse(writer.hasRoom(1))
    assert.isTrue(reader.expectsMessage)
    reader.take()
    assert.isFalse(writer.hasRoom(1))
    reader.take()
    assert.isTrue(writer.hasRoom(1))
    assert.isFalse(reader.expectsMessage)
  })

  it("a reader is woken once when he sleeps, at first too, and does not sleep over what is there", () => {
    const [writer, reader] = pair()
    assert.deepStrictEqual([writer.mustWake(), writer.mustWake()], [true, false])
    assert.isTrue(reader.sleep())
    assert.deepStrictEqual([writer.mustWake(), writer.mustWake()], [true, false])
    writer.write(Uint8Array.of(1), 1)
    assert.isFalse(reader.sleep())
    assert.isFalse(writer.mustWake())
    reader.read()
    assert.isTrue(reader.sleep())
    reader.wake()
    assert.isFalse(writer.mustWake())
  })

  it("changes its count when something was written or posted", () => {
    const [writer, reader] = pair()
    const counts = [reader.count]
    writer.write(Uint8Array.of(1), 1)
    counts.push(reader.count)
    writer.posted()
    counts.push(reader.count)
    reader.read()
    reader.take()
    assert.deepStrictEqual(
      counts.map((count) => count - counts[0]!),
      [0, 1, 2]
    )
    assert.strictEqual(reader.count, counts[2])
  })
})
