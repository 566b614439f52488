import { defineConfig } from 'vitest/config';

/** Tests that watch a clock, a browser, memory, or a process that is killed: nothing runs beside them. */
const ALONE = [
  'test/notebooks/jupyterlab.test.ts',
  'test/experiment/memory.test.ts',
  'test/cli/kill.test.ts',
  'test/cli/interrupt.test.ts',
];

export default defineConfig({
  test: {
    // Tests download from servers that they start themselves, and from no other; and they mean the CPU, also where there is a GPU.
    env: { HF_HUB_OFFLINE: '1', SPEECH_DPO_DEVICE: 'cpu' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        // The engine has threads of its own: more files at once would only wait for each other.
        test: {
          name: 'side by side',
          include: ['test/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
