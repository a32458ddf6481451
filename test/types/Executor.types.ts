/** Programs that must and must not compile. Checked by tsc, never run. */
import * as Executor from "@fiberhost/core/Executor"
import type * as TaskHandle from "@fiberhost/core/TaskHandle"
import type { Cause } from "effect"
import { Context, Effect, type Layer, Queue, Stream } from "effect"

class Service extends Context.Service<Service, { readonly n: number }>()("types/Service") {}
declare const executor: Executor.Executor["Service"]
declare const task: Effect.Effect<number, "failed", Service>

// An answer may be missing for the executor's reasons, and that must be handled.
export const run: Effect.Effect<number, "failed" | Executor.ExecutorError, Service> = executor.run(task)
// @ts-expect-error the ExecutorError is not handled
export const unhandled: Effect.Effect<number, "failed", Service> = executor.run(task)
// @ts-expect-error the task's services are the spawner's to provide
export const serviceless: Effect.Effect<number, "failed" | Executor.ExecutorError> = executor.run(task)
export const handled: Effect.Effect<number, "failed", Service> = executor
  .run(task)
  .pipe(Effect.catchTag("ExecutorError", (error) => Effect.succeed(error.message.length)))
export const byReason: Effect.Effect<number, "failed" | Executor.ExecutorError, Service> = Effect.catchReason(
  executor.run(task),
  "ExecutorError",
  "Interrupted",
  () => Effect.succeed(0)
)
// @ts-expect-error there is no such reason
export const noSuchReason = Effect.catchReason(executor.run(task), "ExecutorError", "Lost", () => Effect.succeed(0))

// The task that was not taken comes back as it was handed in.
export const handedBack: Effect.Effect<number, "failed" | Executor.ExecutorError, Service> = executor
  .trySpawn(task)
  .pipe(
    Effect.matchEffect({
      onSuccess: (handle) => handle.await,
      onFailure: (error) => error.task
    })
  )
export const refused: Effect.Effect<
  TaskHandle.TaskHandle<number, "failed">,
  Executor.ExecutorError<Effect.Effect<number, "failed", Service>>,
  Service
> = executor.trySpawn(task)
// @ts-expect-error an executor's error about a task that it had taken hands nothing back
export const nothing: (error: Executor.ExecutorError) => Effect.Effect<number> = (error) => error.task

export const replies: (
  handle: TaskHandle.StreamHandle<number, "failed">
) => Effect.Effect<number, "failed" | Executor.ExecutorError | Cause.Done> = (handle) => Queue.take(handle.replies)
// @ts-expect-error a stream is no Effect
export const wrongKind = executor.run(Stream.make(1))
// @ts-expect-error the reader cannot add to the replies
export const offer = (handle: TaskHandle.StreamHandle<number>) => Queue.offer(handle.replies, 1)

export const layer: Layer.Layer<Executor.Executor> = Executor.layer({ concurrency: 1, capacity: Infinity })
// @ts-expect-error counts are numbers
export const wrongOption = Executor.layer({ capacity: "100" })
