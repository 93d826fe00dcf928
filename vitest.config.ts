import { defineConfig } from 'vitest/config';

// Tests that start workers or programs use the built dist/: `make test` builds first.
export default defineConfig({
  test: {
    include: [
      '{terminal,proxy,server,clients,analysis,generate,demo,bench,accuracy,e2e}/**/*.test.ts',
      '*.test.ts',
    ],
    // Most of them wait for something real: two at a time, also on two cores.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A machine under load is slow: what is waited for may take as long as a test.
    expect: { poll: { timeout: 20_000 } },
    coverage: {
      provider: 'v8',
      include: ['{terminal,proxy,server,clients,analysis,generate}/**/*.ts'],
      exclude: ['**/*.test.ts'],
      reporter: ['text-summary', 'text', 'json-summary'],
    },
  },
});
