import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Alone: they must answer within seconds. */
const NOTEBOOKS = 'test/notebooks/jupyterlab.test.ts';

/** Tests download from servers that they start themselves, and from no other; and they mean the CPU, also where there is a GPU. */
const env = { HF_HUB_OFFLINE: '1', SPEECH_DPO_DEVICE: 'cpu' };

/** Their tests leave nothing behind in the process, neither a closed device nor a mock: files that follow each other share one, and load the library once. */
const TIDY = ['audio', 'codec', 'data', 'policy', 'reward', 'run', 'train', 'view'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

/** Files that take minutes come first: at the end one of them would keep a core waiting. */
const LONGEST_FIRST = ['test/farm/run.test.ts', 'test/cli/kill.test.ts', 'test/cases/cases.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isNamed = (file: TestSpecification, name: string) => file.moduleId.endsWith(`/${name}`);
    const long = LONGEST_FIRST.flatMap((name) => files.filter((file) => isNamed(file, name)));
    return [...long, ...(await super.sort(files.filter((file) => !long.includes(file))))];
  }
}

/** Of two cores: tests wait for processes and servers a third of their time. Each computes on one thread: several would wait for each other. */
const beside = {
  env: { ...env, SPEECH_DPO_THREADS: '1' },
  maxWorkers: 3,
  sequence: { groupOrder: 1 },
};

export default defineConfig({
  test: {
    env,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'notebooks', include: [NOTEBOOKS], sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: { name: 'others', include: ['test/**/*.test.ts'], exclude: [NOTEBOOKS, ...TIDY], ...beside },
      },
      { extends: true, test: { name: 'tidy', include: TIDY, isolate: false, ...beside } },
    ],
  },
});
