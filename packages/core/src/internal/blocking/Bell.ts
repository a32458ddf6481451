/**
 * What a caller that blocks its thread shares with the threads that it calls: they ring when they have posted to it, and
 * say when they listen to it. Who opened the handle, and that it was released, stand there as well.
 */

/** Words: the handle's state; the number, plus one, of the thread that opened it; what has been posted to it, as a count. */
const state = 0
const opener = 1
const rings = 2
const headWords = 3

export const State = { Unopened: 0, Opened: 1, Released: 2 } as const

export class Bell {
  readonly memory: SharedArrayBuffer
  private readonly words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.words = new Int32Array(memory)
  }

  /** For a pool of so many threads at most. */
  static make(slots: number): Bell {
    return new Bell(new SharedArrayBuffer(4 * (headWords + slots)))
  }

  /** Caller's side: opens the handle for the calling thread. False when it is open, or was released. */
  open(thread: number): boolean {
    if (Atomics.compareExchange(this.words, state, State.Unopened, State.Opened) !== State.Unopened) return false
    Atomics.store(this.words, opener, thread + 1)
    return true
  }

  /** Either side: nobody uses the handle any more. */
  release(): void {
    Atomics.store(this.words, state, State.Released)
    this.ring()
  }

  get isReleased(): boolean {
    return Atomics.load(this.words, state) === State.Released
  }

  /** The thread that opened it, or -1. */
  get opener(): number {
    return Atomics.load(this.words, opener) - 1
  }

  /** A thread's side: it listens to the caller from now on, or does not any more. */
  setListener(slot: number, generation: number | undefined): void {
    Atomics.store(this.words, headWords + slot, generation === undefined ? 0 : generation + 1)
  }

  /** Whether that thread listens. */
  isListening(slot: number, generation: number): boolean {
    return Atomics.load(this.words, headWords + slot) === generation + 1
  }

  /** The caller looks again, also when it is blocked. */
  ring(): void {
    Atomics.add(this.words, rings, 1)
    Atomics.notify(this.words, rings)
  }

  get count(): number {
    return Atomics.load(this.words, rings)
  }

  /** Blocks the calling thread until the bell rings, or has since it was `heard`, or for so many milliseconds. */
  wait(heard: number, milliseconds: number): void {
    const end = performance.now() + Math.min(polled, milliseconds)
    while (Atomics.load(this.words, rings) === heard) {
      if (performance.now() < end) continue
      if (milliseconds > polled) Atomics.wait(this.words, rings, heard, milliseconds - polled)
      return
    }
  }
}

/** How long the thread polls before it sleeps, in milliseconds: waking it takes its waker longer than a short call. */
export const polled = 0.05
