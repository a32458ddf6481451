/**
 * What is known of the calls on a guest's thread while it is busy, or lost: shared memory, by the ids of the wire.
 *
 * The thread marks each call that it comes to, and writes what a measured one uses, until it answers it. The owner marks a
 * measured one whose caller has left, so that a thread which comes to it late leaves it out, and takes all marks away when
 * the call is answered. Each has a mark, because a count would not tell: a call made while another's arguments are written
 * may reach the thread before it or after it. Calls with an id beyond the rows are not measured, and those with an
 * id beyond the marks taken for begun.
 */
import { Usage } from "../call/Usage.ts"

/** Columns: whether its caller has left, then what `Usage` has. */
const columns = 7
const rows = 64 * 1024
const rowsBytes = rows * columns * Float64Array.BYTES_PER_ELEMENT
const marks = 1024 * 1024
const bytes = rowsBytes + marks

export class CallTable {
  readonly memory: SharedArrayBuffer
  private readonly cells: Float64Array
  /** By id, whether the thread has begun the call. */
  private readonly begun: Uint8Array

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

  /** Owner's side: the call has been answered, and its id may be another's. */
  clear(id: number, isMeasured: boolean): void {
    this.begun[id] = 0
    if (isMeasured) this.cells.fill(0, id * columns, (id + 1) * columns)
  }

  /** Owner's side: whether the thread has begun it. */
  hasBegun(id: number): boolean {
    return this.begun[id] !== 0
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
    this.begun[id] = 1
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
