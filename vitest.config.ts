import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Alone: they must answer within seconds. */
const NOTEBOOKS = 'test/notebooks/jupyterlab.test.ts';

/** Files that take minutes come first: at the end one of them would keep a core waiting. */
const LONGEST_FIRST = ['test/farm/run.test.ts', 'test/cli/kill.test.ts', 'test/cases/cases.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isNamed = (file: TestSpecification, name: string) => file.moduleId.endsWith(`/${name}`);
    const long = LONGEST_FIRST.flatMap((name) => files.filter((file) => isNamed(file, name)));
    return [...long, ...(await super.sort(files.filter((file) => !long.includes(file))))];
  }
}

export default defineConfig({
  test: {
    // Tests download from servers that they start themselves, and from no other; and they mean the CPU, also where there is a GPU.
    env: { HF_HUB_OFFLINE: '1', SPEECH_DPO_DEVICE: 'cpu' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'notebooks', include: [NOTEBOOKS], sequence: { groupOrder: 0 } } },
      {
        extends: true,
        // Of two cores: tests wait for processes and servers a third of their time. More would wait for each other, since the engine has threads.
        test: {
          name: 'others',
          include: ['test/**/*.test.ts'],
          exclude: [NOTEBOOKS],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
