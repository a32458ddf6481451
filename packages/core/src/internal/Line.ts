/** Those who wait: first in, first out, and anybody may leave from the middle, all in constant time. */
export class Line<A extends Waiter<A>> {
  size = 0
  private first: A | undefined = undefined
  private last: A | undefined = undefined

  push(waiter: A): A {
    waiter.previous = this.last
    if (this.last === undefined) this.first = waiter
    else this.last.next = waiter
    this.last = waiter
    this.size++
    return waiter
  }

  shift(): A | undefined {
    const waiter = this.first
    if (waiter !== undefined) this.remove(waiter)
    return waiter
  }

  remove(waiter: A): void {
    if (waiter.previous === undefined) this.first = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === undefined) this.last = waiter.previous
    else waiter.next.previous = waiter.previous
    waiter.previous = waiter.next = undefined
    this.size--
  }
}

/** What the line keeps in each who waits in it: the neighbours. */
export interface Waiter<A> {
  previous: A | undefined
  next: A | undefined
}
