import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take minutes, and half of that time wait for others. They come first: at the end one of them would keep a core waiting. */
const LONG = [
  'test/notebooks/jupyterlab.test.ts',
  'test/farm/run.test.ts',
  'test/cli/kill.test.ts',
  'test/cases/cases.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isNamed = (file: TestSpecification, name: string) => file.moduleId.endsWith(`/${name}`);
    const long = LONG.flatMap((name) => files.filter((file) => isNamed(file, name)));
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
    include: ['test/**/*.test.ts'],
    // Of two cores: tests wait for processes, servers and browsers a third of their time. Four would wait for each other, since the engine
    // has threads of its own.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
});
