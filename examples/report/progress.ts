import { Context, Effect, Layer, Ref, Schedule, Stdio, Stream } from "effect"

/** A line on the terminal that says how many files were read. Nothing is shown when standard error is not a terminal. */
export class Progress extends Context.Service<
  Progress,
  {
    /** One more file was read. */
    readonly advance: Effect.Effect<void>
    /** Shows the line while the effect runs. */
    readonly during: <A, E, R>(total: number, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("report/Progress") {
  static readonly layer = Layer.effect(
    Progress,
    Effect.gen(function* () {
      const stdio = yield* Stdio.Stdio
      const isTerminal = yield* stdio.stderrIsTerminal
      const done = yield* Ref.make(0)
      const show = (line: string) => Stream.run(Stream.make(`\r\u001b[K${line}`), stdio.stderr()).pipe(Effect.ignore)
      return Progress.of({
        advance: Ref.update(done, (count) => count + 1),
        during: (total, effect) => {
          if (!isTerminal) return effect
          const line = Effect.flatMap(Ref.get(done), (count) => show(bar(count, total)))
          return Effect.scoped(
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() => show(""))
              yield* Effect.forkScoped(Effect.repeat(line, Schedule.spaced("50 millis")))
              return yield* effect
            })
          ) as typeof effect
        }
      })
    })
  )
}

const bar = (count: number, total: number): string => {
  const filled = total === 0 ? 30 : Math.round((count / total) * 30)
  return `[${"#".repeat(filled)}${".".repeat(30 - filled)}] ${count} of ${total} files`
}
