import { defineConfig } from 'vitest/config';

/**
 * Files that take minutes come first, two side by side: at the end one of them would keep a core waiting. Those of the command line stay beside
 * the fleet of workers, which leaves half of two cores idle, and the notebooks beside all others.
 */
const LONG = [
  'test/farm/run.test.ts',
  'test/cases/cases.test.ts',
  'test/cli/kill.test.ts',
  'test/cli/interrupt.test.ts',
];
const NOTEBOOKS = 'test/notebooks/jupyterlab.test.ts';

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
        test: { name: 'long', include: LONG, maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: 'notebooks', include: [NOTEBOOKS], maxWorkers: 2, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        // The engine has threads of its own: more files at once would only wait for each other.
        test: {
          name: 'others',
          include: ['test/**/*.test.ts'],
          exclude: [...LONG, NOTEBOOKS],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
