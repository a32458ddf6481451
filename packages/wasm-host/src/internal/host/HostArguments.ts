/**
 * Guest to host: the arguments of an import, taken out of guest memory: as values for a function that runs here, as bytes for
 * one that runs elsewhere. All of them are freed, also when one is refused.
 */
import * as Codec from "@fiberhost/core/Codec"
import type { FunctionCodec } from "@fiberhost/core/FunctionCodec"
import * as HostCallError from "@fiberhost/core/HostCallError"
import * as Wire from "@fiberhost/core/Wire"
import * as Result from "effect/Result"
import type { Raws } from "../guest/GuestCodec.ts"
import { type GuestMemory, TooLong } from "../memory/GuestMemory.ts"
import * as Signature from "../module/Signature.ts"

/** One MessagePack value for each argument, or why the function is not started. */
export const take = (
  { arguments: kinds, name }: Signature.Signature,
  raws: Raws,
  memory: GuestMemory
): Result.Result<ReadonlyArray<Uint8Array>, HostCallError.HostCallError> => {
  let refused: HostCallError.HostCallError | undefined
  const args: Array<Uint8Array> = []
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i]!
    const taken = kind === "bytes" ? memory.take(raws[i] as bigint) : Signature.fromRaw(kind, raws[i]!)
    if (!(taken instanceof TooLong)) args.push(taken)
    else refused ??= HostCallError.argumentsRefused(name, { path: "", detail: taken.detail })
  }
  return refused === undefined ? Result.succeed(args) : Result.fail(refused)
}

/** The payload of the function, or why it is not started. */
export const read = (
  { arguments: args, name }: FunctionCodec,
  { arguments: kinds }: Signature.Signature,
  raws: Raws,
  memory: GuestMemory
): Result.Result<unknown, HostCallError.HostCallError> => {
  if (args.length === 0) return Result.succeed(undefined)
  let refused: HostCallError.HostCallError | undefined
  const payload: Record<string, unknown> = {}
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    const as = kinds[i]!
    if (as !== "bytes" && arg.kind !== undefined) {
      payload[arg.name] = Signature.valueOf(as)(raws[i]!)
      continue
    }
    const value =
      as === "bytes"
        ? memory.read(raws[i] as bigint, arg.codec.decodeWindow)
        : Codec.decodeFromBytes(arg.codec, Signature.fromRaw(as, raws[i]!))
    if (value instanceof TooLong) refused ??= HostCallError.argumentsRefused(name, { path: "", detail: value.detail })
    else if (Result.isSuccess(value)) payload[arg.name] = value.success
    else refused ??= HostCallError.argumentsRefused(name, value.failure.under(arg.name))
  }
  return refused === undefined ? Result.succeed(payload) : Result.fail(refused)
}

/** Why the arguments cannot be sent, if they cannot: they are freed then. Throws what ends the guest. */
export const refusal = (
  signature: Signature.Signature,
  raws: Raws,
  memory: GuestMemory
): HostCallError.HostCallError | undefined => {
  const { arguments: kinds, name } = signature
  for (let i = 0; i < kinds.length; i++) {
    const tooLong = kinds[i] === "bytes" ? memory.tooLong(raws[i] as bigint) : undefined
    if (tooLong === undefined) continue
    drop(signature, raws, memory)
    return HostCallError.argumentsRefused(name, { path: "", detail: tooLong.detail })
  }
  return undefined
}

/** Appends the length and the MessagePack value of each argument, which is not refused. They are to be dropped then. */
export const write = (
  { arguments: kinds }: Signature.Signature,
  raws: Raws,
  memory: GuestMemory,
  writer: Codec.Writer
): void => {
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i]!
    if (kind === "bytes") {
      memory.look(raws[i] as bigint, (bytes, start, end, view) => Wire.writeRange(writer, bytes, start, end, view))
    } else {
      const length = writer.placeholder32()
      Signature.writeRaw(kind, raws[i]!, writer)
      writer.patch32(length, writer.size - length - 4)
    }
  }
}

/** Frees arguments that are not taken. */
export const drop = ({ arguments: kinds }: Signature.Signature, raws: Raws, memory: GuestMemory): void => {
  for (let i = 0; i < kinds.length; i++) if (kinds[i] === "bytes") memory.drop(raws[i] as bigint)
}
