// What is asked of the conformance guest in each case, and how an answer is checked: the same values and the same checks for all
// subjects. A check looks at what only a decoded answer has, and costs as good as nothing.
import type { Case } from "../harness/Subject.ts"

export type SyncCall = "u32" | "string" | "struct" | "nested" | "f64x1000" | "bytes64KiB"
export type AsyncCall = "async" | "async1" | "fetch" | "join10"

/** `pending`: the host functions of the call answer in a microtask, instead of at once. */
export interface CallsCase extends Case {
  readonly call: SyncCall | AsyncCall | "instantiate"
  readonly pending: boolean
}

/** The guest of all hosts that speak fp-bindgen's ABI. */
export const conformance = new URL("../../guests/conformance/conformance.wasm", import.meta.url)

const points = Array.from({ length: 8 }, (_, i) => ({ x: i + 0.5, y: -i - 0.25 }))
const headers = { accept: "application/json", "x-request": "a1b2c3d4" }

/** `total` is a 64-bit integer and `next` an optional field: each subject writes them in its own way. */
export const values = {
  u32: 123_456,
  string: "a text of 24 characters.",
  struct: { x: 1.5, y: -2.25 },
  items: points,
  total: 1_000,
  f64x1000: Array.from({ length: 1000 }, (_, i) => i + 0.5),
  bytes64KiB: new Uint8Array(64 * 1024).map((_, i) => i),
  joined: Array.from({ length: 10 }, (_, id) => id),
  request: { method: "GET", url: "https://example.com/items?page=3", headers },
  response: { status: 200, headers, body: new Uint8Array(64).fill(7) },
  tookNanos: 1_234_567
} as const

const sync = {
  u32: (answer: number) => expect(answer === values.u32),
  string: (answer: string) => expect(answer === values.string),
  struct: ({ x, y }: Point) => expect(x === values.struct.x && y === values.struct.y),
  nested: ({ items }: { readonly items: ReadonlyArray<Point> }) =>
    expect(items.length === points.length && items[7]!.y === points[7]!.y),
  f64x1000: (answer: ArrayLike<number>) => expect(answer.length === 1000 && answer[999] === 999.5),
  bytes64KiB: (answer: Uint8Array) => expect(answer.length === 64 * 1024 && answer[65_535] === 255)
}

export const isSync = ({ call }: CallsCase): boolean => call in sync

export const checks = {
  ...sync,
  async: sync.string,
  async1: sync.string,
  fetch: ({ status, headers, body }: Response) =>
    expect(status === 200 && headers["x-request"] === "a1b2c3d4" && body.length === 64),
  join10: (answer: ArrayLike<number>) => expect(answer.length === 10 && answer[9] === 9)
}

interface Point {
  readonly x: number
  readonly y: number
}

interface Response {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: Uint8Array
}

export function expect(right: boolean): void {
  if (!right) throw new Error("answered wrongly")
}
