/** Runs that are scored by several rewards: what is recorded, what goes on, what workers are told. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parametersFromOptions, OWN } from '../../lib/cli/parameter-options.js';
import { refusalOf, type SamplesTerms } from '../../lib/farm/terms.js';
import { evenTokenReward, lengthReward, resumeExperiment, rewardOf, runExperiment } from '../../lib/index.js';
import { lexicographic, loadPolicy, loadRewards, parseParameters, weighted } from '../../lib/index.js';
import type { Reward, RunEvent } from '../../lib/index.js';
import { termsOf } from '../../lib/jobs/open-farm.js';
import { openNamedScorers, openReward } from '../../lib/jobs/scorers.js';
import { originOf } from '../../lib/reward/load.js';
import { describeEvaluation } from '../../lib/run/evaluation-result.js';
import { readRun } from '../../lib/run/run-files.js';
import { device } from '../support/device.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const restless = rewardOf(
  'restless',
  'codes that differ',
  ({ codes }) => codes.filter((code, i) => code !== codes[i - 1]).length,
  { listens: false },
);
const sampleOf = (...codes: number[]) => ({
  item: { src_encodec: [[1]], instruction: 'a', tgt_encodec: [[1]] },
  codes,
  audio: () => Promise.reject(new Error('nobody listens')),
});

/** Ends a run once its first pairs are written; its folder. */
async function untilPaired(begin: (signal: AbortSignal) => AsyncGenerator<RunEvent>): Promise<string> {
  const stop = new AbortController();
  let directory = '';
  const reading = async () => {
    for await (const event of begin(stop.signal)) {
      if (event.type === 'started') directory = event.modelDirectory;
      if (event.type === 'paired') stop.abort();
    }
  };
  await expect(reading()).rejects.toThrow(/abort/i);
  return directory;
}

const drain = async (events: AsyncGenerator<RunEvent>) => {
  for await (const event of events) void event;
};

it('a run keeps every part of its pairs, is recorded, and goes on with the same combination alone', async () => {
  const folder = temporaryFolder();
  const model = join(folder, 'model');
  await writeTinyModel(model);
  const parameters = parseParameters({
    ...{ model, iterations: 1, trainPrompts: 2, testPrompts: 1, sampleSize: 4, numEval: 2, maxNewTokens: 30 },
    ...{ audioPrompts: 0, reward: 'even-token+restless', rewardWeights: '2,0.5', normalizeRewards: true },
  });
  const directory = await untilPaired((signal) =>
    runExperiment(parameters, { root: folder, rewards: [restless], signal }),
  );
  const { record, directories } = await readRun(directory);
  expect(record).toMatchObject({
    parameters: { reward: 'even-token+restless', combine: 'weighted', rewardWeights: '2,0.5' },
    reward: { name: 'even-token+restless', label: '2 even-token + 0.5 restless' },
    own: ['reward'],
  });
  const data = JSON.parse(
    readFileSync(join(directories.outputDirectory, 'data_iter_0.json'), 'utf8'),
  ) as Record<string, number[]>;
  for (const side of ['chosen', 'rejected'])
    for (const [i, reward] of data[`${side}_rewards`].entries())
      expect(reward).toBe(2 * data[`${side}_even-token`][i] + 0.5 * data[`${side}_restless`][i]);

  const began = `run ${record.run} is scored by a reward of its own, even-token+restless; give it again`;
  await expect(drain(resumeExperiment(directory))).rejects.toThrow(began);
  const other = { ...restless, name: 'restful' };
  await expect(drain(resumeExperiment(directory, { rewards: [restless, other] }))).rejects.toThrow(
    `run ${record.run} is scored by the reward even-token+restless, not by restful: give it that one`,
  );
  const otherwise = weighted([evenTokenReward, restless]);
  await expect(drain(resumeExperiment(directory, { reward: otherwise }))).rejects.toThrow(
    `run ${record.run} combines even-token+restless otherwise: {"how":"weighted","weights":[2,0.5],"normalize":true}`,
  );
  const again = { rewards: [restless] };
  await untilPaired((signal) => resumeExperiment(directory, { ...again, signal }));
});

it('names of built-in rewards are enough', async () => {
  const parameters = parseParameters({ reward: 'length+even-token', combine: 'lexicographic' });
  await using opened = await openReward(parameters, {}, { device });
  const samples = [sampleOf(1, 2), sampleOf(2, 2)];
  expect(await opened.reward.score(samples)).toEqual(
    await lexicographic([lengthReward, evenTokenReward]).score(samples),
  );
  await expect(openReward(parseParameters({ reward: 'length+restless' }), {}, { device })).rejects.toThrow(
    'there is no reward "restless"',
  );
  await expect(openReward(parameters, { rewards: [restless] }, { device })).rejects.toThrow(
    'the reward restless is given, but not named: length+even-token is',
  );
  const twice = parseParameters({ reward: 'restless+restless' });
  await expect(openReward(twice, { rewards: [restless, { ...restless }] }, { device })).rejects.toThrow(
    'two of the rewards are called restless',
  );
});

it('workers are told the parts, and score as the run does', async () => {
  const file = join(temporaryFolder(), 'short.mjs');
  writeFileSync(
    file,
    `export default { name: 'short', label: 'short', listens: false, score: async (samples) => samples.map(({ codes }) => ({ reward: -codes.length })) };`,
  );
  const policy = await loadPolicy('default');
  const { name, own } = await loadRewards(`even-token,${file}`);
  expect(name).toBe('even-token+short');
  const parameters = parseParameters({ reward: name, rewardWeights: '1,3' });
  await using opened = await openReward(parameters, { rewards: own }, { device });
  const terms = await termsOf({ parameters, device, policy, reward: opened.reward }, { allowMixed: true });
  const told = JSON.parse(JSON.stringify(terms)) as SamplesTerms;
  expect(told.work.reward).toEqual({
    ...{ name, rewardModel: 'nisqa' },
    parts: [{ name: 'even-token' }, { name: 'short', sha256: originOf(own[0]) }],
    combination: { how: 'weighted', weights: [1, 3], normalize: false },
  });
  const samples = [sampleOf(1, 2), sampleOf(2, 2, 2)];
  await using there = await openNamedScorers(told.work, undefined, { own, device });
  expect(await there.reward.score(samples)).toEqual(await opened.reward.score(samples));

  const worker = { versions: told.versions, computes: 'CPU', rewards: [] as string[] };
  expect(refusalOf(told, worker)).toMatch(/^the run is scored by the reward short .*start it with --reward/);
  expect(refusalOf(told, { ...worker, rewards: [originOf(own[0])!] })).toBeUndefined();
  const object = { parameters, device, policy, reward: weighted([evenTokenReward, restless]) };
  await expect(termsOf(object, {})).rejects.toThrow(
    'the reward restless is an object of this process, which cannot be sent to workers',
  );
});

it('evaluations by another combination are others', async () => {
  const options = { split: 'test', indices: [0], samplesPerPrompt: 2 } as const;
  const describeBy = (weights: string | null) =>
    describeEvaluation(parseParameters({ reward: 'even-token+length', rewardWeights: weights }), options);
  expect(await describeBy('1,2')).not.toEqual(await describeBy('2,1'));
  expect(await describeEvaluation(parseParameters({}), options)).not.toHaveProperty('combination');
});

it.each<[Record<string, unknown>, string]>([
  [{ rewardWeights: '1,2' }, 'rewardWeights goes with several rewards, and even-token is one'],
  [{ combine: 'harmonic', normalizeRewards: true }, 'combine and normalizeRewards go with several rewards'],
  [{ reward: 'mos+length', rewardWeights: '1,2,3' }, 'there are 3 weights for 2 rewards'],
  [{ reward: 'mos+length', rewardSteps: '1,2' }, 'steps go with the lexicographic order of rewards'],
  [
    { reward: 'mos+length', combine: 'lexicographic', rewardWeights: '1,2' },
    'weights go with a weighted sum',
  ],
  [{ reward: 'mos+length', rewardWeights: '1,x' }, 'rewardWeights: expected numbers with commas'],
  [{ reward: 'mos+' }, 'it must be of letters'],
])('refuses the parameters %j', (given, message) => {
  expect(() => parseParameters(given)).toThrow(message);
});

it('the options of run become parameters, and an experiment, which has one reward, refuses them', () => {
  const options = { combine: 'lexicographic', rewardSteps: '0.1,0', seed: 3 };
  expect(parametersFromOptions('mos+length', options, OWN)).toMatchObject({
    reward: 'mos+length',
    ...options,
  });
  expect(() => parametersFromOptions('length', options)).toThrow(
    'combine and rewardSteps go with several rewards, and length is one',
  );
});

it('two rewards of one name are refused', async () => {
  const twice: Reward[] = [evenTokenReward, evenTokenReward];
  expect(() => weighted(twice)).toThrow('two of the rewards are called even-token');
});
