/**
 * What becomes of a run whose scorer is dead, answers NaN, hangs, or dies on the way, over HTTP: it stops with the reason, and nothing is
 * trained on less or on zeros. Of workers that are killed: test/farm/run.test.ts.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseParameters, recordRun, rewardOf, runExperiment, weighted } from '../../lib/index.js';
import type { Reward, RunEvent } from '../../lib/index.js';
import { iterate } from '../../lib/experiment/iterate.js';
import { rewardAt } from '../../lib/reward/from-address.js';
import { lengthReward } from '../../lib/reward/length.js';
import { readRun } from '../../lib/run/run-files.js';
import { createTinyRun } from '../experiment/tiny-run.js';
import { SHORT, startAudioScorer, type ScorerAnswer, type SentQuestion } from '../support/audio-scorer.js';
import { startRewardServer } from '../support/reward-server.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

/** A run that samples 2 x 2 completions for each of two evaluations, and then 2 x 4 to make pairs of; some may be empty. */
async function tinyRun(reward: Reward) {
  const run = await createTinyRun({ iterations: 1, audioPrompts: 0 });
  roots.push(join(run.directories.modelDirectory, '..', '..'));
  return { ...run, reward };
}

/** Runs to its end, or to the error that stops it; and what it left. */
async function follow(events: AsyncGenerator<RunEvent>) {
  const seen: RunEvent[] = [];
  let error: Error | undefined;
  try {
    for await (const event of events) seen.push(event);
  } catch (thrown) {
    error = thrown as Error;
  }
  return { seen, error };
}

const sizeOf = ({ num_samples }: SentQuestion): ScorerAnswer => [200, { score: num_samples }];

it('a dead scorer ends a run before anything is written', async () => {
  const scorer = await startAudioScorer(sizeOf);
  const reward = await rewardAt(scorer.address, undefined, SHORT);
  scorer.die();
  const root = temporaryFolder();
  const { error, seen } = await follow(runExperiment(parseParameters({}), { root, reward }));
  expect(error).toMatchObject({
    constructor: Error,
    message: `the ${reward.name} reward cannot score: ${scorer.address} cannot be reached (connection refused) (asked 3 times)`,
  });
  expect(seen).toEqual([]);
  expect(readdirSync(root)).toEqual([]);
});

it.each<[string, ScorerAnswer, string]>([
  ['answers NaN', [200, '{"score": NaN}'], 'answers with what is not JSON: {"score": NaN}'],
  ['answers null', [200, { score: null }], 'score: invalid input: expected number, received null'],
  ['hangs', 'hang', 'cannot be reached (no answer within 1 seconds) (asked 3 times)'],
  ['dies', 'break', '(asked 3 times)'],
])('a scorer that %s after half of the samples stops the run with the reason', async (_, fault, message) => {
  let evaluations = 0;
  let scored = 0;
  const scorer = await startAudioScorer((question) =>
    evaluations === 2 && ++scored > 4 ? fault : sizeOf(question),
  );
  const patience = { ...SHORT };
  const run = await tinyRun(await rewardAt(scorer.address, undefined, patience));
  const counting = async function* () {
    for await (const event of iterate(run)) {
      if (event.type === 'evaluated') evaluations += 1;
      if (evaluations === 2 && fault === 'hang') patience.timeoutMs = 1000;
      yield event;
    }
  };
  const { error, seen } = await follow(recordRun(counting(), run));
  expect(error?.constructor).toBe(Error);
  expect(error?.message).toMatch(
    /^the run stops at sample \d of train prompt \d, "Faster": the [\d.-]+ reward fails: http:/,
  );
  expect(error?.message).toContain(message);
  const { modelDirectory, outputDirectory } = run.directories;
  expect(seen.map(({ type }) => type)).not.toContain('paired');
  expect(existsSync(join(modelDirectory, 'iter_0'))).toBe(false);
  expect(existsSync(join(outputDirectory, 'data_iter_0.json'))).toBe(false);
  expect((await readRun(modelDirectory)).record).toMatchObject({ state: 'failed', error: error!.message });
});

it.each<[string, (reward: Reward) => Reward]>([
  ['alone', (reward) => reward],
  ['in a combination', (reward) => weighted([lengthReward, reward], { normalize: true })],
])('a server of lists that dies stops the run, %s', async (_, make) => {
  let answers = 0;
  const address = await startRewardServer([200, { name: 'list' }], (samples) =>
    answers++ < 2 ? [200, { scores: samples.map(({ codes }) => codes.length) }] : [503, 'out of memory'],
  );
  const run = await tinyRun(make(await rewardAt(address, undefined, SHORT)));
  const { error } = await follow(iterate(run));
  expect(error?.message).toMatch(
    /^the run stops at \d samples, the first sample \d of train prompt \d, "Faster": the \S+ reward fails: http:.* answers 503 Service Unavailable: out of memory \(asked 3 times\)$/,
  );
  expect(existsSync(join(run.directories.outputDirectory, 'data_iter_0.json'))).toBe(false);
});

it('a part of a combination that is NaN stops the run, though its weight is 0', async () => {
  const faulty = rewardOf('faulty', 'faulty', () => NaN, { listens: false });
  const run = await tinyRun(weighted([lengthReward, faulty], { weights: [1, 0] }));
  const { error } = await follow(iterate(run));
  expect(error?.message).toMatch(
    /^the length\+faulty reward of sample \d of train prompt 0, "Faster", is not a number between -1e\+150 and 1e\+150: reward NaN/,
  );
});
