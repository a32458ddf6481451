import { createHash } from "node:crypto"
import { Effect } from "effect"

export const hashing = {
  sha256: ({ bytes }: { readonly bytes: Uint8Array }) =>
    Effect.sync(() => createHash("sha256").update(bytes).digest("hex"))
}
