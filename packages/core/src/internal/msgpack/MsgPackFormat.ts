/** What writers and readers of MessagePack agree on: the classes of values, and how much of anything there may be. */

/** What a value's first byte says it is, one bit each, so that a set of them is a number. */
export const WireClass = { nil: 1, bool: 2, int: 4, float: 8, str: 16, bin: 32, array: 64, map: 128, ext: 256 } as const

/** Bytes that one value may have unless told otherwise: the most an fp-bindgen guest takes, 2^24 - 1. */
export const defaultLimit = 16_777_215

/** Bytes of a value that no guest takes: no length of the wire is longer. */
export const longest = 0x7fff_ffff

/** The ext type of values that lie beside the bytes. Only readers with a list of such values read it. */
export const besideType = 0x42

/** Byte strings from this length on lie beside the bytes: from here on moving a copy is cheaper than copying twice. */
export const besideBytes = 16_384

/** Levels of arrays, maps and recursive references that one value may have. */
export const maxDepth = 256

/** Payload bytes of the tags ca to d3. */
export const scalarBytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8]

function classOf(tag: number): number {
  if (tag < 0x80 || tag >= 0xe0) return WireClass.int
  if (tag < 0x90) return WireClass.map
  if (tag < 0xa0) return WireClass.array
  if (tag < 0xc0) return WireClass.str
  if (tag === 0xc0) return WireClass.nil
  if (tag === 0xc2 || tag === 0xc3) return WireClass.bool
  if (tag >= 0xc4 && tag <= 0xc6) return WireClass.bin
  if (tag === 0xca || tag === 0xcb) return WireClass.float
  if (tag >= 0xcc && tag <= 0xd3) return WireClass.int
  if (tag >= 0xd9 && tag <= 0xdb) return WireClass.str
  if (tag === 0xdc || tag === 0xdd) return WireClass.array
  if (tag === 0xde || tag === 0xdf) return WireClass.map
  return WireClass.ext
}

/** The class of each first byte. */
export const classes = Uint16Array.from({ length: 256 }, (_, tag) => classOf(tag))

export function className(tag: number): string {
  const found = classes[tag]
  return Object.entries(WireClass).find(([, bit]) => bit === found)![0]
}
