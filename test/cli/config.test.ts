/** `--config`: an experiment that starts from a recorded run's parameters. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { main } from '../../lib/cli/main.js';
import type * as Experiment from '../../lib/jobs/experiment.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import type { RunRecord } from '../../lib/run/run-files.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeFixtureRun } from '../view/fixture-run.js';

const begun: Parameters[] = [];
// Nothing is run: what a run would begin with is all that matters here.
vi.mock('../../lib/jobs/experiment.js', async (original) => ({
  ...(await original<typeof Experiment>()),
  runExperiment: async function* (parameters: Parameters) {
    await Promise.resolve();
    begun.push(parameters);
    throw new Error('it would begin');
  },
}));

const recorded = parseParameters({
  ...{ reward: 'even-token', iterations: 2, beta: 0.3, seed: 7, pairsPerPrompt: 2, guard: true },
});
let roots: string[] = [];
let complained = '';

beforeEach(() => {
  begun.length = 0;
  complained = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((complained += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const root of roots) rmSync(root, { recursive: true });
  roots = [];
});

async function recordOf(record: Partial<RunRecord> = {}): Promise<string> {
  const { root, modelDirectory } = await writeFixtureRun({ record: { parameters: recorded, ...record } });
  roots.push(root);
  return modelDirectory;
}

async function parametersOf(...args: string[]): Promise<Parameters> {
  expect(await main([...args, '--output', temporaryFolder()], new AbortController().signal)).toBe(2);
  expect(complained).toBe('error: it would begin\n');
  complained = '';
  return begun.at(-1)!;
}

it('takes the parameters of a run, by its folder or its run.json, and its reward', async () => {
  const folder = await recordOf();
  for (const config of [folder, join(folder, 'run.json'), folder.replace('model_output', 'output')])
    expect(await parametersOf('run', '--config', config)).toEqual(recorded);
  expect(await parametersOf('even-token', '--config', folder)).toEqual(recorded);
});

it('options that are given beside it win, also where they are the defaults of the command', async () => {
  const folder = await recordOf();
  const given = ['--beta', '0.005', '--iterations', '3', '--no-guard'];
  const changed = { ...recorded, beta: 0.005, iterations: 3, guard: false };
  expect(await parametersOf('run', '--config', folder, ...given)).toEqual(changed);
});

it('another reward takes the place of the recorded one, and what goes with that one alone', async () => {
  const parameters = { ...recorded, reward: 'length+silence', rewardWeights: '2,1', normalizeRewards: true };
  const folder = await recordOf({ parameters });
  expect(await parametersOf('run', '--config', folder)).toEqual(parameters);
  const one = { ...parameters, rewardWeights: null, normalizeRewards: false };
  expect(await parametersOf('run', '--config', folder, '--reward', 'wer')).toEqual({ ...one, reward: 'wer' });
  expect(await parametersOf('mos', '--config', folder)).toEqual({ ...one, reward: 'mos' });
});

it("a run whose reward was a person's own says that it must be given again", async () => {
  const folder = await recordOf({ parameters: { ...recorded, reward: 'restless' }, own: ['reward'] });
  expect(await main(['run', '--config', folder], new AbortController().signal)).toBe(2);
  expect(complained).toBe(
    'error: run 0601-1200 is scored by a reward of its own, restless; name it beside --config: --reward FILE (or its address)\n',
  );
});

it('without it nothing has changed: run needs a reward', async () => {
  expect(await main(['run', '--iterations', '3'], new AbortController().signal)).toBe(2);
  expect(complained).toContain("required option '--reward <source>' not specified");
});
