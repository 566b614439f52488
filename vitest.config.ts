import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests download from servers that they start themselves, and from no other; and they mean the CPU, also where there is a GPU.
    env: { HF_HUB_OFFLINE: '1', SPEECH_DPO_DEVICE: 'cpu' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Native sessions and two cores: one file at a time keeps timings and memory predictable.
    fileParallelism: false,
    pool: 'forks',
  },
});
