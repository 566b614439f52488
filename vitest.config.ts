import { defineConfig } from 'vitest/config';

/** Files that take minutes come first, side by side: at the end one of them would keep a core waiting. */
const LONG = [
  'test/notebooks/jupyterlab.test.ts',
  'test/cases/cases.test.ts',
  'test/cli/kill.test.ts',
  'test/cli/interrupt.test.ts',
];

/** Has processes enough of its own for two cores: beside it, tests of how soon something is seen would fail. */
const FARM = 'test/farm/run.test.ts';

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
        test: { name: 'farm', include: [FARM], sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        // The engine has threads of its own: more files at once would only wait for each other.
        test: {
          name: 'others',
          include: ['test/**/*.test.ts'],
          exclude: [...LONG, FARM],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
