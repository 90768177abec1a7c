import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Several suites start child processes; the limit only catches a hang.
    testTimeout: 60_000,
    // By default one core is kept free, of two.
    maxWorkers: '100%',
  },
});
