// msgpackr as its manual recommends for speed: an instance that is reused, with its native addon, and with shared structures, where both
// sides learn the names of fields once and values hold numbers for them.
import { isNativeAccelerationEnabled, Packr } from "msgpackr"
import type { Contestant } from "../Contestant.ts"

const contestant = (name: string, options: () => ConstructorParameters<typeof Packr>[0]): Contestant<Uint8Array> => ({
  name,
  role: "peer",
  checks: false,
  make: () => {
    if (!isNativeAccelerationEnabled) throw new Error("its native addon is missing")
    const packr = new Packr(options())
    return { encode: (value) => packr.pack(value), decode: (bytes) => packr.unpack(bytes) }
  }
})

export const msgpackr = [
  contestant("msgpackr", () => ({ useRecords: false })),
  contestant("msgpackr-records", () => ({ structures: [] }))
]
