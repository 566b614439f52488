import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { completionLogProbs } from '../../lib/dpo/completion-log-probs.js';
import { evaluate } from '../../lib/experiment/evaluate.js';
import { measureKlDivergence } from '../../lib/experiment/kl-divergence.js';
import type { Run } from '../../lib/experiment/run.js';
import type { ScoredCompletion } from '../../lib/experiment/scored-completion.js';
import { ORIGINAL, type RunEvent } from '../../lib/run/events.js';
import { levelGuard } from '../../lib/reward/guard.js';
import { device } from '../support/device.js';
import { copyWeights } from '../support/random-policy.js';
import { droppedCompletion as dropped } from '../support/dropped-completion.js';
import { createTinyRun } from './tiny-run.js';

let run: Run;
beforeAll(async () => {
  run = await createTinyRun({ numEval: 3 });
});
afterAll(() => rm(join(run.directories.modelDirectory, '..', '..'), { recursive: true }));

const rewarded = (codes: number[], finished: boolean): ScoredCompletion => ({
  codes,
  finished,
  reward: 1,
  rank: 1,
  details: {},
  figures: { silence: 0.5 },
});
const scored = [
  [rewarded([3, 0, 7], true), dropped],
  [rewarded([5], true), rewarded([1, 2, 4, 6], false)],
];

/** A policy that has been trained away from the one on disk. */
const moved = (): Run => {
  const weights = copyWeights(run.policy.weights);
  for (const { data } of weights.values())
    if (data instanceof Float32Array)
      data.forEach((value, i) => (data[i] = 1.2 * value + 0.05 * Math.sin(i)));
  return { ...run, policy: { ...run.policy, weights } };
};

async function measure(
  run: Run,
  iteration: number,
  samples: readonly ScoredCompletion[][] = scored,
): Promise<{ found: ScoredCompletion[][]; done: number[] }> {
  const measuring = measureKlDivergence(run, iteration, run.test, samples);
  const done: number[] = [];
  for (;;) {
    const { value, done: isOver } = await measuring.next();
    if (isOver) return { found: value, done };
    if (value.type === 'progress') done.push(value.done / value.total);
  }
}

it('is the log-probability of what was sampled less that under the first policy, without what was not sampled', async () => {
  const trained = moved();
  const { found, done } = await measure(trained, 1);
  expect(done).toEqual([2 / 6, 3 / 6, 5 / 6, 1]);
  // By hand: <s> is 0 and given, </s> is 2, the code k is the id k + 8.
  const items = [
    { prompt: run.test[0].ids, completion: [0, 11, 8, 15, 2] },
    { prompt: run.test[1].ids, completion: [0, 13, 2] },
    { prompt: run.test[1].ids, completion: [0, 9, 10, 12, 14, 2] },
  ];
  const counted = [
    [1, 2, 3, 4],
    [1, 2],
    [1, 2, 3, 4],
  ];
  const [own, first] = await Promise.all(
    [trained.policy, run.policy].map(async (policy) => {
      const logps = await completionLogProbs(policy, items, { device, batchSize: 1 });
      return logps.map(({ perLabel }, i) => counted[i].reduce((sum, label) => sum + perLabel[label], 0));
    }),
  );
  const figures = found.flat().filter(({ reward }) => reward !== null);
  for (const [i, { figures: each }] of figures.entries()) {
    expect(Object.keys(each).sort()).toEqual(['entropy', 'kl', 'silence']);
    expect(each.kl).toBeCloseTo(own[i] - first[i], 4);
    expect(Math.abs(own[i] - first[i])).toBeGreaterThan(0.1);
    expect(each.entropy).toBeCloseTo(-own[i] / counted[i].length, 4);
  }
  expect(found[0][1]).toBe(dropped);
});

it('is 0 of the original policy, and of one that training left as it was', async () => {
  for (const iteration of [ORIGINAL, 0]) {
    const { found, done } = await measure(run, iteration);
    expect(done.at(-1)).toBe(1);
    expect(found.flat().flatMap(({ figures }) => figures.kl ?? [])).toEqual([0, 0, 0]);
  }
});

it('is measured of as many samples at once as a batch of training has, which fit into the memory', async () => {
  const samples = Array.from({ length: 2 }, () => Array.from({ length: 4 }, () => rewarded([5], true)));
  const doneBy = async (batchSize: number) => {
    const parameters = { ...run.parameters, batchSize };
    return (await measure({ ...run, parameters }, ORIGINAL, samples)).done;
  };
  expect(await doneBy(1)).toEqual([2 / 8, 4 / 8, 6 / 8, 1]);
  expect(await doneBy(4)).toEqual([1]);
});

it('ends before the next batch when the run is stopped', async () => {
  const signal = AbortSignal.abort(new Error('stopped by a person'));
  await expect(measure({ ...run, signal }, ORIGINAL)).rejects.toThrow('stopped by a person');
});

it('is measured where there are guards, of held-out samples', async () => {
  const guardedOf = async (guards: Run['guards'], iteration: number) => {
    const events: RunEvent[] = [];
    for await (const event of evaluate({ ...moved(), guards }, iteration)) events.push(event);
    return events.flatMap((event) => (event.type === 'guarded' ? event.guards : []));
  };
  expect(await guardedOf([], 0)).toEqual([]);
  const figures = (await guardedOf([levelGuard], 0)).map(({ figure }) => figure);
  expect(figures).toEqual(['silence', 'clipping', 'kl', 'entropy']);
});
