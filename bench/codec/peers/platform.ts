// What comes with Node: JSON, which has no bytes, to a string, and the structured clone's form as bytes.
import { deserialize, serialize } from "node:v8"
import type { Contestant } from "../Contestant.ts"

export const json: Contestant<string> = {
  name: "json",
  role: "peer",
  checks: false,
  takes: ({ shape }) => shape !== "bytes64KiB",
  make: () => ({ encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) })
}

export const structuredClone: Contestant<Uint8Array> = {
  name: "structured-clone",
  role: "peer",
  checks: false,
  make: () => ({ encode: (value) => serialize(value), decode: (bytes) => deserialize(bytes) })
}
