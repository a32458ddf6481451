// @msgpack/msgpack with an encoder and a decoder that are reused.
import { Decoder, Encoder } from "@msgpack/msgpack"
import type { Contestant } from "../Contestant.ts"

export const msgpack: Contestant<Uint8Array> = {
  name: "msgpack",
  role: "peer",
  checks: false,
  make: () => {
    const encoder = new Encoder()
    const decoder = new Decoder()
    return { encode: (value) => encoder.encode(value), decode: (bytes) => decoder.decode(bytes) }
  }
}
