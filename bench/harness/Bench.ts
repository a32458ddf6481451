// Runs a benchmark. Every subject of a case is measured in the same run: in each round each of them gets one short slice, in an order
// that rotates, so that whatever else the machine does meets all of them. The result of a subject is the median of its rounds.
import { inspect } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Slice } from "./Slice.ts"
import type { Case, Role, Session, Subject } from "./Subject.ts"

export interface Bench<C extends Case> {
  readonly name: string
  readonly cases: ReadonlyArray<C>
  readonly subjects: ReadonlyArray<Subject<C>>
  /** What `--quick` runs: names of cases, and of the peers and floors beside all subjects of our own. */
  readonly quick: { readonly cases: ReadonlyArray<string>; readonly subjects: ReadonlyArray<string> }
  /**
   * Measures each case in a process of its own, and these subjects once more as `NAME-mixed`: in a process that runs all
   * cases in turn, where code that one call made fast has met the others.
   */
  readonly mixed?: ReadonlyArray<string>
  /** Of the peers, by the names of their packages. */
  readonly versions?: Readonly<Record<string, string>>
  /** What a reader must know to compare the subjects. */
  readonly notes?: string
  /** What is printed after all cases. */
  readonly summary?: (rows: ReadonlyArray<Row>) => string
}

/** What one subject did in one case: what `--json` writes. */
export interface Row extends Round {
  readonly bench: string
  readonly case: string
  readonly subject: string
}

/** How long a run measures; times in milliseconds. */
export interface Effort {
  readonly rounds: number
  readonly slice: number
  /** How long a subject may take, at most and on average, until it gets no faster. */
  readonly warmUp: number
}

/** Latencies are per call and in microseconds. */
export interface Round {
  readonly opsPerSec: number
  readonly p50us: number | null
  readonly p99us: number | null
}

export interface Measurement {
  readonly subject: string
  readonly role: Role
  readonly rounds: ReadonlyArray<Round>
}

/** `skipped` tells why a subject has no measurement: it could not be opened, or a call failed or was answered wrongly. */
export interface CaseResult {
  readonly name: string
  readonly measurements: ReadonlyArray<Measurement>
  readonly skipped: ReadonlyArray<{ readonly subject: string; readonly because: string }>
}

/** A case with those that take part in it. */
interface Contest {
  readonly benchCase: Case
  readonly effort: Effort
  readonly contestants: Set<Contestant>
  readonly skipped: Array<{ readonly subject: string; readonly because: string }>
}

interface Contestant {
  readonly subject: string
  readonly role: Role
  readonly session: Session
  readonly rounds: Array<Round>
  /** While it is warmed up: the most calls a second so far, and in how many of its last turns it was about as fast. */
  best: number
  steady: number
}

/** How long a subject that is warmed up runs until it is looked whether it has become faster, in milliseconds. */
const step = 100

/** A slice that has not ended by then, in milliseconds after its time, lost a call. */
const patience = 60_000

/** A subject that has not closed by then, in milliseconds, is left behind: a peer's worker that does not end holds up nobody. */
const closing = 10_000

export async function runCase<C extends Case>(
  benchCase: C,
  subjects: ReadonlyArray<Subject<C>>,
  effort: Effort
): Promise<CaseResult> {
  const [result] = await runMixed([benchCase], subjects, () => effort)
  return result!
}

/** All cases in this process: in each round each of them gets its turn. */
export async function runMixed<C extends Case>(
  cases: ReadonlyArray<C>,
  subjects: ReadonlyArray<Subject<C>>,
  effort: (benchCase: C) => Effort
): Promise<ReadonlyArray<CaseResult>> {
  const contests: Array<Contest> = []
  for (const benchCase of cases) contests.push(await openContest(benchCase, subjects, effort(benchCase)))
  const rounds = Math.max(...contests.map(({ effort }) => effort.rounds))
  for (let round = 0; round < rounds; round++) {
    for (const contest of contests) {
      for (const contestant of rotated([...contest.contestants], round)) {
        const result = await measure(contest, contestant, contest.effort.slice)
        if (result !== undefined) contestant.rounds.push(result)
      }
    }
  }
  for (const { contestants } of contests) for (const { session } of contestants) await close(session)

  return contests.map(({ benchCase, contestants, skipped }) => ({
    name: benchCase.name,
    measurements: [...contestants].map(({ subject, role, rounds }) => ({ subject, role, rounds })),
    skipped
  }))
}

/** Opens the case's subjects and warms them up. */
async function openContest<C extends Case>(
  benchCase: C,
  subjects: ReadonlyArray<Subject<C>>,
  effort: Effort
): Promise<Contest> {
  const contest: Contest = { benchCase, effort, contestants: new Set(), skipped: [] }
  for (const { name, role, takes = () => true, open } of subjects) {
    if (!takes(benchCase)) continue
    try {
      const session = await open(benchCase)
      contest.contestants.add({ subject: name, role, session, rounds: [], best: 0, steady: 0 })
    } catch (error) {
      contest.skipped.push({ subject: name, because: messageOf(error) })
    }
  }
  await warmUp(contest)
  return contest
}

/** Runs the subjects in turn until none gets faster: compilers take their time, and what one subject taught them they unlearn for another. */
async function warmUp(contest: Contest): Promise<void> {
  const { contestants, effort } = contest
  const end = performance.now() + effort.warmUp * contestants.size
  while (performance.now() < end) {
    const unsteady = [...contestants].filter(({ steady }) => steady < 3)
    // Those that became fast first are looked at once more.
    for (const contestant of unsteady.length > 0 ? unsteady : [...contestants]) await warmUpOne(contest, contestant)
    if (unsteady.length === 0 && [...contestants].every(({ steady }) => steady > 0)) return
  }
}

async function warmUpOne(contest: Contest, contestant: Contestant): Promise<void> {
  const round = await measure(contest, contestant, step)
  if (round === undefined) return
  const { opsPerSec } = round
  const { best, steady } = contestant
  contestant.steady = opsPerSec < best * 0.85 ? 0 : opsPerSec > best * 1.1 ? 1 : steady + 1
  contestant.best = Math.max(best, opsPerSec)
}

/** Nothing where the subject failed: it is out of the contest. */
async function measure(
  { benchCase, contestants, skipped }: Contest,
  contestant: Contestant,
  milliseconds: number
): Promise<Round | undefined> {
  try {
    return await runSlice(contestant.session, benchCase, milliseconds)
  } catch (error) {
    contestants.delete(contestant)
    skipped.push({ subject: contestant.subject, because: messageOf(error) })
    await close(contestant.session).catch(() => {})
  }
}

/** The median round by each figure on its own. */
export function medianRound(rounds: ReadonlyArray<Round>): Round {
  const median = (figure: (round: Round) => number | null) =>
    quantile(
      rounds.map(figure).filter((value) => value !== null),
      0.5
    )
  return {
    opsPerSec: median((round) => round.opsPerSec) ?? 0,
    p50us: median((round) => round.p50us),
    p99us: median((round) => round.p99us)
  }
}

async function runSlice(session: Session, { inFlight, every }: Case, milliseconds: number): Promise<Round> {
  collectYoung()
  const slice = new Slice(inFlight, milliseconds, every)
  await settledWithin(milliseconds + patience, session.run(slice))
  slice.finish()
  return {
    opsPerSec: slice.opsPerSec,
    p50us: quantile(slice.latencies, 0.5),
    p99us: quantile(slice.latencies, 0.99)
  }
}

async function settledWithin(milliseconds: number, work: Promise<void>): Promise<void> {
  if (!(await isSettledWithin(milliseconds, work))) throw new Error("a call was never answered")
}

async function close(session: Session): Promise<void> {
  await isSettledWithin(closing, session.close())
}

async function isSettledWithin(milliseconds: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  return Promise.race([work.then(() => true), overdue]).finally(() => clearTimeout(timer))
}

// The garbage of the slice before is not collected in this one. Only the young generation: a full collection ages compiled code, and
// subjects that wait for their turn would lose theirs.
setFlagsFromString("--expose-gc")
const gc: (options: { type: "minor" }) => void = runInNewContext("gc")
const collectYoung = () => gc({ type: "minor" })

function rotated<A>(items: ReadonlyArray<A>, by: number): ReadonlyArray<A> {
  const first = items.length === 0 ? 0 : by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

function quantile(values: ReadonlyArray<number>, fraction: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) * fraction
  const below = sorted[Math.floor(middle)]
  const above = sorted[Math.ceil(middle)]
  return below === undefined || above === undefined ? null : below + (above - below) * (middle % 1)
}

function messageOf(error: unknown): string {
  return error instanceof Error
    ? error.message.split("\n")[0]!
    : inspect(error, { breakLength: Infinity }).slice(0, 200)
}
