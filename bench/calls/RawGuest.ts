// An instance of a plugin, driven by hand: bytes that were encoded before are written to its memory, answered, compared and freed. No
// codec, no Effect, no promise; of what a host looks after only what the ABI cannot do without.
import { expect } from "./Calls.ts"

/** Offset in the upper half, length in the lower. */
export type FatPtr = bigint

export type Exports = Readonly<Record<string, (...args: ReadonlyArray<FatPtr | number>) => FatPtr>>

/** Guest to host: gives the AsyncValue of an async import's answer. */
export type HostFunction = (guest: RawGuest, argument: FatPtr | number) => FatPtr

interface Call {
  readonly expected: Uint8Array
  readonly answered: () => void
  asyncValue: FatPtr
  /** The AsyncValues of its host calls live as long as it. */
  readonly hostCalls: Array<FatPtr>
}

/** A fat pointer seen as its halves: length, offset. */
const whole = new BigInt64Array(1)
const halves = new Uint32Array(whole.buffer)

export class RawGuest {
  readonly exports: Exports
  readonly free: (pointer: FatPtr) => void
  readonly #memory: WebAssembly.Memory
  readonly #malloc: (length: number) => FatPtr
  readonly #resolve: (asyncValue: FatPtr, result: FatPtr) => void
  readonly #pending: boolean
  #bytes: Uint8Array
  #words: Uint32Array
  /** The call that the guest is entered for. None of the measured calls wakes another. */
  #current: Call | undefined
  #resolved: FatPtr | undefined
  #result: FatPtr = 0n

  /** `pending`: whether async imports answer in a microtask, or before they return. */
  constructor(module: WebAssembly.Module, hostFunctions: Readonly<Record<string, HostFunction>>, pending: boolean) {
    const imports = WebAssembly.Module.imports(module).map(({ name }) => {
      const hostFunction = hostFunctions[name]
      return [name, hostFunction === undefined ? () => {} : (argument: FatPtr) => hostFunction(this, argument)]
    })
    const resolve = (asyncValue: FatPtr, result: FatPtr) => {
      this.#resolved = asyncValue
      this.#result = result
    }
    const fp = { ...Object.fromEntries(imports), __fp_host_resolve_async_value: resolve }
    const { exports } = new WebAssembly.Instance(module, { fp })
    this.exports = exports as Exports
    this.#memory = exports["memory"] as WebAssembly.Memory
    this.#malloc = exports["__fp_malloc"] as (length: number) => FatPtr
    this.free = exports["__fp_free"] as (pointer: FatPtr) => void
    this.#resolve = exports["__fp_guest_resolve_async_value"] as (asyncValue: FatPtr, result: FatPtr) => void
    this.#pending = pending
    this.#bytes = new Uint8Array(this.#memory.buffer)
    this.#words = new Uint32Array(this.#memory.buffer)
  }

  /** Host to guest: calls a sync export of one value, which answers these bytes. */
  call(name: string, argument: Uint8Array, expected: Uint8Array): void {
    this.#take(this.exports[name]!(this.#write(argument)), expected)
  }

  /** Host to guest: calls an async export. True when it has been answered; otherwise it calls `answered`. */
  start(name: string, argument: Uint8Array | number, expected: Uint8Array, answered: () => void): boolean {
    const call: Call = { expected, answered, asyncValue: 0n, hostCalls: [] }
    this.#current = call
    call.asyncValue = this.exports[name]!(typeof argument === "number" ? argument : this.#write(argument))
    return this.#settle(call)
  }

  /** Guest to host: an async import answers these bytes. */
  answer(bytes: Uint8Array): FatPtr {
    const call = this.#current!
    if (this.#pending) {
      const asyncValue = this.#asyncValue(0, 0, 0)
      call.hostCalls.push(asyncValue)
      queueMicrotask(() => {
        this.#current = call
        this.#resolve(asyncValue, this.#write(bytes))
        if (this.#settle(call)) call.answered()
      })
      return asyncValue
    }
    this.#write(bytes)
    const asyncValue = this.#asyncValue(1, halves[1]!, halves[0]!)
    call.hostCalls.push(asyncValue)
    return asyncValue
  }

  /** After an entry: whether the call has been answered. */
  #settle(call: Call): boolean {
    if (this.#resolved === undefined) return false
    expect(this.#resolved === call.asyncValue)
    this.#resolved = undefined
    this.#take(this.#result, call.expected)
    this.free(call.asyncValue)
    for (const asyncValue of call.hostCalls) this.free(asyncValue)
    return true
  }

  #asyncValue(status: number, offset: number, length: number): FatPtr {
    const asyncValue = this.#malloc(12)
    whole[0] = asyncValue
    this.#renewViews()
    // The guest's allocator aligns to 8 bytes.
    const at = halves[1]! >>> 2
    this.#words[at] = status
    this.#words[at + 1] = offset
    this.#words[at + 2] = length
    return asyncValue
  }

  /** Leaves the pointer's halves in `halves`. */
  #write(bytes: Uint8Array): FatPtr {
    const pointer = this.#malloc(bytes.length)
    whole[0] = pointer
    this.#renewViews()
    this.#bytes.set(bytes, halves[1]!)
    return pointer
  }

  #take(pointer: FatPtr, expected: Uint8Array): void {
    whole[0] = pointer
    this.#renewViews()
    const length = halves[0]!
    const end = halves[1]! + length
    expect(length === expected.length && this.#bytes[end - 1] === expected[length - 1])
    this.free(pointer)
  }

  #renewViews(): void {
    if (this.#bytes.buffer === this.#memory.buffer) return
    this.#bytes = new Uint8Array(this.#memory.buffer)
    this.#words = new Uint32Array(this.#memory.buffer)
  }
}
