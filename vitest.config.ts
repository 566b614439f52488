import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests download from servers that they start themselves, and from no other.
    env: { HF_HUB_OFFLINE: '1' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Native sessions and two cores: one file at a time keeps timings and memory predictable.
    fileParallelism: false,
    pool: 'forks',
  },
});
