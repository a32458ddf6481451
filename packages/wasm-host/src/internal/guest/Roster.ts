/** Members in the order in which they came, any of whom may leave at any time: all in constant time, and without garbage. */
export class Roster<A extends Member<A>> {
  size = 0
  oldest: A | undefined = undefined
  private youngest: A | undefined = undefined

  add(member: A): void {
    member.older = this.youngest
    if (this.youngest === undefined) this.oldest = member
    else this.youngest.younger = member
    this.youngest = member
    this.size++
  }

  /** The member may not have left before. */
  remove(member: A): void {
    if (member.older === undefined) this.oldest = member.younger
    else member.older.younger = member.younger
    if (member.younger === undefined) this.youngest = member.older
    else member.younger.older = member.older
    // Who keeps one that has left keeps no others.
    member.older = member.younger = undefined
    this.size--
  }

  /** Those who are there now, the oldest first. */
  get members(): ReadonlyArray<A> {
    const members: Array<A> = []
    for (let member = this.oldest; member !== undefined; member = member.younger) members.push(member)
    return members
  }
}

/** What the roster keeps in each member: its neighbours. */
export interface Member<A> {
  older: A | undefined
  younger: A | undefined
}
