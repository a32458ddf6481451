/**
 * What is known of the calls on a guest's thread while it is busy, or lost: shared memory, by the ids of the wire.
 *
 * The thread counts each call that it comes to, and writes what a measured one uses, until it answers it. The owner counts
 * what it sends, marks a measured one whose caller has left, so that a thread which comes to it late leaves it out, and
 * clears its row when it is answered. Counts are kept by id: one for all would need each call's place among them, which is
 * another when one that was made before it is not sent after all. Calls with an id beyond the rows are not measured, and those
 * with an id beyond the counts taken for begun.
 */
import { Usage } from "../call/Usage.ts"

/** Columns: whether its caller has left, then what `Usage` has. */
const columns = 7
const rows = 64 * 1024
const rowsBytes = rows * columns * Float64Array.BYTES_PER_ELEMENT
const counts = 1024 * 1024
const bytes = rowsBytes + counts

export class CallTable {
  readonly memory: SharedArrayBuffer
  private readonly cells: Float64Array
  /** By id, how many calls the thread has begun, up to 255 and then anew. It alone writes them, which costs it nothing. */
  private readonly begun: Uint8Array
  /** Owner's side: by id, how many calls were sent, counted alike. */
  private sent: Uint8Array | undefined

  /**
   * It has all rows from the start: pages that no call has used take no memory, and the thread finds the row of any call.
   * With a `maxByteLength` it is mapped by itself, so that all of it goes back to the system with its thread; otherwise it
   * is a part of the process's heap, which grows with each thread that ends.
   */
  constructor(memory = new SharedArrayBuffer(bytes, { maxByteLength: bytes })) {
    this.memory = memory
    this.cells = new Float64Array(memory, 0, rows * columns)
    this.begun = new Uint8Array(memory, rowsBytes)
  }

  /** Owner's side: a call of this id was sent. The one before it has been answered. */
  send(id: number): void {
    this.sent ??= new Uint8Array(counts)
    this.sent[id]!++
  }

  /** Owner's side: whether the thread has begun the call. */
  hasBegun(id: number): boolean {
    return this.begun[id] === this.sent?.[id]
  }

  /** Owner's side: the measured call has been answered, and its id may be another's. */
  clear(id: number): void {
    this.cells.fill(0, id * columns, (id + 1) * columns)
  }

  /** Owner's side: nobody waits for it any more. */
  leave(id: number): void {
    if (id * columns < this.cells.length) this.cells[id * columns] = 1
  }

  /** Owner's side: what it has used so far. */
  read(id: number): Usage | undefined {
    const row = id * columns
    if (row + columns > this.cells.length) return undefined
    const usage = new Usage()
    usage.entries = this.cells[row + 1]!
    usage.begunAt = this.cells[row + 2]!
    usage.enteredAt = this.cells[row + 3]!
    usage.inside = this.cells[row + 4]!
    usage.inHost = this.cells[row + 5]!
    usage.hostSince = this.cells[row + 6]!
    return usage
  }

  /** Worker side: the call begins. */
  begin(id: number): void {
    this.begun[id]!++
  }

  /** Worker side: whether nobody waits for it any more. */
  isLeft(id: number): boolean {
    return this.cells[id * columns] === 1
  }

  /** Worker side: what the call uses from now on, for its owner to see. */
  usage(id: number, keepsSpans: boolean): Usage {
    return new SharedUsage(this.cells, id * columns, keepsSpans)
  }
}

class SharedUsage extends Usage {
  private cells: Float64Array | undefined
  private readonly row: number

  constructor(cells: Float64Array, row: number, keepsSpans: boolean) {
    super(keepsSpans)
    this.cells = cells
    this.row = row
  }

  override enter(): void {
    super.enter()
    this.write()
  }

  override hostEnded(): void {
    super.hostEnded()
    this.write()
  }

  override leave(): number {
    const took = super.leave()
    this.write()
    return took
  }

  override release(): void {
    this.cells = undefined
  }

  private write(): void {
    const { cells, row } = this
    if (cells === undefined || row + columns > cells.length) return
    cells[row + 1] = this.entries
    cells[row + 2] = this.begunAt
    cells[row + 3] = this.enteredAt
    cells[row + 4] = this.inside
    cells[row + 5] = this.inHost
    cells[row + 6] = this.hostSince
  }
}
