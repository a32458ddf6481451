/**
 * Who came, in order: anybody may leave at any time, from the middle as well. All in constant time, and without garbage, for the
 * neighbours are kept in the members themselves; so a member is in one line at most. It owns nothing, and ends with its owner.
 */
export class Line<A extends Member<A>> {
  size = 0
  /** Who came before all others. */
  first: A | undefined = undefined
  private last: A | undefined = undefined

  push(member: A): A {
    member.previous = this.last
    if (this.last === undefined) this.first = member
    else this.last.next = member
    this.last = member
    this.size++
    return member
  }

  /** Before all others: one that was there before them, and left. */
  unshift(member: A): A {
    member.next = this.first
    if (this.first === undefined) this.last = member
    else this.first.previous = member
    this.first = member
    this.size++
    return member
  }

  shift(): A | undefined {
    const member = this.first
    if (member !== undefined) this.remove(member)
    return member
  }

  /** The member is in this line: to remove one twice breaks it. Who keeps one that has left keeps no others. */
  remove(member: A): void {
    if (member.previous === undefined) this.first = member.next
    else member.previous.next = member.next
    if (member.next === undefined) this.last = member.previous
    else member.next.previous = member.previous
    member.previous = member.next = undefined
    this.size--
  }

  /** Those who are there now, in order: a copy, so that they may leave while it is read. */
  get members(): ReadonlyArray<A> {
    const members: Array<A> = []
    for (let member = this.first; member !== undefined; member = member.next) members.push(member)
    return members
  }
}

/** What the line keeps in each member: its neighbours. */
export interface Member<A> {
  previous: A | undefined
  next: A | undefined
}
