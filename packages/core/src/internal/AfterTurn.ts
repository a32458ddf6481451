/** Runs a task once the event loop has turned to everything else that waits. */
export const afterTurn: (task: () => void) => void =
  "setImmediate" in globalThis ? globalThis.setImmediate : (task) => void setTimeout(task, 0)
