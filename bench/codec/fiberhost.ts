// Our codec, compiled for its schema, and interpreted as where no code may be made of text.
import { Codec } from "@fiberhost/core"
import { Result } from "effect"
import type { Contestant } from "./Contestant.ts"

const contestant = (name: string, compile: boolean): Contestant<Uint8Array> => ({
  name,
  role: "ours",
  checks: true,
  make: ({ schema }) => {
    const codec = Codec.make(schema, { compile })
    return {
      encode: (value) => Result.getOrThrow(Codec.encodeToBytes(codec, value)),
      decode: (bytes) => Result.getOrThrow(Codec.decodeFromBytes(codec, bytes))
    }
  }
})

export const fiberhost = [contestant("fiberhost", true), contestant("fiberhost-interpreted", false)]
