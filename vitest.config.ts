import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Several suites start child processes, and a busy machine may be ten times slower; the limits
    // only catch a hang.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    // A process of its own for each file costs a third of a second; none leaves anything behind in
    // it for the next.
    isolate: false,
    // By default one core is kept free, of two.
    maxWorkers: '100%',
  },
});
