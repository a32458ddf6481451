/**
 * Host to guest: an argument of a guest function, from the value of its contract to what the export takes. It has nothing of its own.
 */
import * as Codec from "@fiberhost/core/Codec"
import { type CodecError, toCodecError } from "@fiberhost/core/CodecError"
import type { Argument } from "@fiberhost/core/FunctionCodec"
import * as GuestError from "../../GuestError.ts"
import type { GuestMemory } from "../memory/GuestMemory.ts"
import * as Signature from "../module/Signature.ts"

export class GuestArgument {
  private readonly argument: Argument
  private readonly as: Signature.Kind
  private readonly valueBytes: number
  /** The raw number of a value, where it needs no codec. */
  private readonly toRaw: ((value: unknown) => number | bigint | undefined) | undefined

  constructor(argument: Argument, as: Signature.Kind, valueBytes: number) {
    this.argument = argument
    this.as = as
    this.valueBytes = valueBytes
    this.toRaw = as === "bytes" || argument.kind === undefined ? undefined : Signature.rawOf(as)
  }

  /** Host to guest: as the export takes it. Throws a `Refused`, and what ends the guest. */
  pass(payload: unknown, memory: GuestMemory): number | bigint {
    const value = this.valueOf(payload)
    const raw = this.toRaw?.(value)
    return raw === undefined ? this.encoded(value, memory) : raw
  }

  private encoded(value: unknown, memory: GuestMemory): number | bigint {
    const writer = Codec.scratch()
    try {
      this.write(value, writer)
      const { bytes, size, view } = writer
      if (this.as !== "bytes") return Signature.toRaw(this.as, bytes.subarray(0, size))
      const ptr = memory.tryWrite(bytes, size, view)
      if (ptr === undefined) throw new Refused(new GuestError.OutOfMemory({ bytes: size }))
      return ptr
    } finally {
      Codec.giveBack(writer)
    }
  }

  /** Read once: a getter may give something else the next time. */
  private valueOf(payload: unknown): unknown {
    try {
      return this.argument.of(payload)
    } catch (thrown) {
      throw this.refused(thrown)
    }
  }

  private write(value: unknown, writer: Codec.Writer): void {
    try {
      writer.begin()
      this.argument.wire.write(value, writer)
    } catch (thrown) {
      throw this.refused(thrown)
    }
    if (writer.size <= this.valueBytes) return
    throw new Refused(new GuestError.ValueTooLarge({ path: this.argument.name, limit: this.valueBytes }))
  }

  private refused(thrown: unknown): Refused {
    return new Refused(valueRefused(toCodecError("encode", thrown).under(this.argument.name)))
  }
}

/** Thrown: why a value does not cross, in either direction. */
export class Refused {
  readonly reason: GuestError.Reason

  constructor(reason: GuestError.Reason) {
    this.reason = reason
  }
}

/** The reason of a value that does not fit an argument. */
export const valueRefused = ({ detail, path, reason }: CodecError): GuestError.Reason =>
  reason._tag === "TooLarge"
    ? new GuestError.ValueTooLarge({ path, limit: reason.limit })
    : new GuestError.ValueRefused({ path, detail })
