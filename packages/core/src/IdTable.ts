/**
 * What is known by an id that is used again when it is free, such as that of a call on the wire: so ids stay small. It owns nothing,
 * and ends with its owner.
 *
 * An array, because what comes and goes in a `Map` or a `Set` makes a new table every so often, to which V8 has the old one point.
 * Once a table is in old space all that was in later ones survives until a full collection (docs/speed.md).
 */
export class IdTable<A> {
  size = 0
  private readonly items: Array<A | undefined> = []

  get(id: number): A | undefined {
    return this.items[id]
  }

  set(id: number, item: A): void {
    if (this.items[id] === undefined) this.size++
    this.items[id] = item
  }

  delete(id: number): void {
    if (this.items[id] === undefined) return
    this.items[id] = undefined
    this.size--
  }

  /** All that is there now, by id: a copy. */
  get values(): ReadonlyArray<A> {
    return this.items.filter((item) => item !== undefined)
  }
}
