import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Native sessions and two cores: one file at a time keeps timings and memory predictable.
    fileParallelism: false,
    pool: 'forks',
  },
});
