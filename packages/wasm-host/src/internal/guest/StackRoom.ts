/**
 * Whether the stack has room for the host's own code.
 *
 * A guest may call a host function from where its recursion has nearly used up the stack. If the stack ended within the
 * host's code, that would leave a frame half written, or a blocking call sent whose answer the next caller takes for its
 * own. So the host begins nothing before it knows that there is room.
 *
 * JavaScript cannot ask for that. A WebAssembly function can: the engine checks a large frame against the end of the
 * stack when the function is entered, and needs 3 ns for it. This one's branch is never taken; in it thousands of results
 * are alive at once, so that every tier of the compiler gives the frame a slot of 8 bytes for each.
 */
import * as Leb128 from "../module/Leb128.ts"

const slots = 8192

/** Throws a `RangeError` when less than 64 KiB of the stack are left. */
export const check = (): void => {
  probe ??= make()
  probe(0)
}

let probe: ((taken: number) => number) | undefined

const make = (): ((taken: number) => number) => {
  const code = [0, 0x20, 0, 0x04, 0x7f]
  for (let i = 0; i < slots; i++) code.push(0x10, 0)
  for (let i = 1; i < slots; i++) code.push(0x6a)
  code.push(0x05, 0x41, 0, 0x0b, 0x0b)
  const bytes = new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // (type (func (param i32) (result i32))) (type (func (result i32)))
    ...section(1, [2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7f]),
    // (import "a" "b" (func (type 1)))
    ...section(2, [1, 1, 0x61, 1, 0x62, 0, 1]),
    ...section(3, [1, 0]),
    // (export "f" (func 1))
    ...section(7, [1, 1, 0x66, 0, 1]),
    // (if (result i32) (local.get 0) (then (i32.add (call 0) (i32.add (call 0) ...))) (else (i32.const 0)))
    ...section(10, [1, ...Leb128.encode(code.length), ...code])
  ])
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { a: { b: () => 0 } })
  return exports["f"] as (taken: number) => number
}

const section = (id: number, content: ReadonlyArray<number>): ReadonlyArray<number> => [
  id,
  ...Leb128.encode(content.length),
  ...content
]
