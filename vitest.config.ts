import { defineConfig } from "vitest/config"

// Two processes: the tests start worker threads of their own, and a machine may have two cores.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000
  }
})
