// Worker side: what the threads of every subject do. `move` is each library's own: it answers with the bytes it got, transferred.
import type { SmallObject } from "../Calls.ts"

export function noop({ id }: SmallObject): number {
  return id
}

export function spin({ id }: SmallObject): number {
  const end = performance.now() + 1
  while (performance.now() < end);
  return id
}

export function echo(bytes: Uint8Array): Uint8Array {
  return bytes
}
