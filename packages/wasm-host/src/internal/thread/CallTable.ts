/**
 * What is known of the calls on a guest's thread while it is busy: shared memory, one row for each id of the wire.
 *
 * The thread writes what a measured call uses, until it answers it. The owner marks one whose caller has left, so that a
 * thread which comes to it late leaves it out, and clears the row when the call is answered. Calls with an id beyond the
 * table are not measured.
 */
import { Usage } from "../call/Usage.ts"

/** Columns: whether its caller has left, then what `Usage` has. */
const columns = 7
const rows = 64 * 1024
const bytes = rows * columns * Float64Array.BYTES_PER_ELEMENT

export class CallTable {
  readonly memory: SharedArrayBuffer
  private readonly cells: Float64Array

  /** It has all rows from the start: pages that no call has used take no memory, and the thread finds the row of any call. */
  constructor(memory = new SharedArrayBuffer(bytes)) {
    this.memory = memory
    this.cells = new Float64Array(memory)
  }

  /** Owner's side: the call has been answered, and its id may be another's. */
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
