/**
 * What is known by an id that is used again when it is free, as `Connection` gives them: so ids stay small. It owns nothing, and ends
 * with its owner. It gets as long as the most ids that were taken at once.
 *
 * An array and not a `Map`: what that would keep of those that have left is in docs/speed.md.
 *
 * @internal
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

  /** Those that are there now, by id: a copy. */
  get members(): ReadonlyArray<A> {
    return this.items.filter((item) => item !== undefined)
  }
}
