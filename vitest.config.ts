import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/support/global-setup.ts'],
    // Real processes on small machines: the deadline is for hangs, not for speed.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Real agents on a machine that is busy with something else: what fails once and then passes is named in the output.
    retry: 1,
    pool: 'forks',
    maxWorkers: 2,
  },
})
