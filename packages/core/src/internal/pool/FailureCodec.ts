/** How a `HostCallError` travels between threads. */
import * as Result from "effect/Result"
import * as Codec from "../../Codec.ts"
import * as HostCallError from "../../HostCallError.ts"
import * as Wire from "../../Wire.ts"
import type { Reader } from "../codec/MsgPackReader.ts"

const codec = Codec.make(HostCallError.HostCallError)

/** Runner's side. An error that does not fit has a part that is no error's: it is a bug, and says so. */
export const encode = (error: HostCallError.HostCallError): Uint8Array => {
  const bytes = Codec.encodeToBytes(codec, error)
  if (Result.isSuccess(bytes)) return bytes.success
  return encode(HostCallError.fromDefect(error.function, new Error(bytes.failure.message)))
}

/** Caller's side: the error in the value that the reader stands before. */
export const read = (name: string, reader: Reader): HostCallError.HostCallError => {
  const error = Codec.decodeFromBytes(codec, Wire.readValue(reader))
  return Result.isSuccess(error) ? error.success : HostCallError.fromDefect(name, error.failure)
}
