/** Unsigned LEB128, the integers of WebAssembly's binary format. By division: a count of pages may be above 2^32. */
export const encode = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...encode(Math.floor(value / 0x80))]
