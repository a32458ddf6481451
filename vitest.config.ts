import { defineConfig } from "vitest/config"

/** What carries values: it is tested again where no code may be made of text, so that every codec is interpreted. */
const carriers = [
  "test/core/{Codec,CodecFuzz,FunctionCodec,HostPool}.test.ts",
  "test/node/{Node,}{HostPool,GuestThread}.test.ts",
  "test/wasm-host/{Conformance,Limits,Hostile}.test.ts"
]

// Two processes: the tests start worker threads of their own, and a machine may have two cores.
export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    // What hangs fails; what a loaded machine takes its time for does not.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "compiled", include: ["test/**/*.test.ts"] } },
      {
        extends: true,
        test: { name: "interpreted", include: carriers, execArgv: ["--disallow-code-generation-from-strings"] }
      }
    ]
  }
})
