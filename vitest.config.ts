import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Several suites start child processes, and a busy machine may be ten times slower; the limits only catch a hang.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    // By default one core is kept free, of two.
    maxWorkers: '100%',
  },
});
