/** Runs that make pairs of the samples that they have evaluated. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Evaluations } from '../../lib/experiment/evaluations-file.js';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { resumeExperiment } from '../../lib/jobs/resume.js';
import type { Guard } from '../../lib/reward/guard.js';
import { readDataFile } from '../../lib/run/data-file.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { device } from '../support/device.js';
import { findRun, readRunFiles } from '../support/interrupted-run.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

const SAMPLES = 4;

/** Counts what it is asked to measure. */
let measured = 0;
const guard: Guard = {
  figures: ['dnsmos'],
  measure: async () => {
    measured += 1;
    return { dnsmos: 3 };
  },
};

let folder: string;
let model: string;
let undisturbed: string;
let events: RunEvent[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'speech-dpo-test-'));
  model = join(folder, 'model');
  mkdirSync(model);
  await writeTinyModel(model);
  undisturbed = join(folder, 'undisturbed');
  events = await start(undisturbed);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs to the end, or until it is aborted after an event. */
async function start(
  root: string,
  parameters = {},
  isLast: (event: RunEvent) => boolean = () => false,
  guards = [guard],
): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  const abort = new AbortController();
  const parsed = parseParameters({
    ...{ model, reuseEvaluation: true, sampleSize: SAMPLES, numEval: SAMPLES, iterations: 3 },
    guardPairs: true,
    ...{ trainPrompts: 2, testPrompts: 1, maxNewTokens: 30, audioPrompts: 1, epochs: 1, learningRate: 0.01 },
    ...parameters,
  });
  const { signal } = abort;
  for await (const event of runExperiment(parsed, { root, device, signal, guards })) {
    all.push(event);
    if (isLast(event)) abort.abort();
  }
  return all;
}

function foldersOf(root: string) {
  const modelFolder = findRun(root)!;
  return { modelFolder, output: join(root, 'output', basename(modelFolder)) };
}

const eventOf = <Type extends RunEvent['type']>(type: Type, iteration: number) =>
  events.find(
    (event): event is Extract<RunEvent, { type: Type }> =>
      event.type === type &&
      'iteration' in event &&
      event.iteration === iteration &&
      !('split' in event && event.split === 'test'),
  );

it('samples and scores nothing between an evaluation and the pairs that are made of it', () => {
  const stages = new Set(events.map((event) => (event.type === 'progress' ? event.stage : event.type)));
  expect(stages).toContain('paired');
  expect(stages).not.toContain('sampled');
  expect(stages).not.toContain('scored');
  expect(stages).not.toContain('sample');
});

it('pairs the best and the worst train sample of the evaluation before', async () => {
  const { modelFolder, output } = foldersOf(undisturbed);
  const evaluations = JSON.parse(readFileSync(join(modelFolder, 'evaluations.json'), 'utf8')) as Evaluations;
  const [first] = await readDataFile(join(output, 'data_iter_0.json'));
  const codes = evaluations.original.train[0].map((sample) => sample.codes);
  expect(codes).toContainEqual(first.chosen);
  expect(codes).toContainEqual(first.rejected);
  for (const iteration of [0, 1, 2]) {
    const { rewards, lengths } = eventOf('evaluated', iteration - 1)!;
    expect(lengths).toHaveLength(2 * SAMPLES);
    // Empty samples have no reward.
    const ofFirst = lengths.slice(0, SAMPLES).filter((length) => length > 0).length;
    const ofPrompt = [rewards.slice(0, ofFirst), rewards.slice(ofFirst)];
    const { chosenRewards, rejectedRewards } = eventOf('paired', iteration)!;
    expect(chosenRewards).toEqual(ofPrompt.map((each) => Math.max(...each)));
    expect(rejectedRewards).toEqual(ofPrompt.map((each) => Math.min(...each)));
  }
});

it('comes to the same files after an interruption, also where the evaluation is no longer on disk', async () => {
  const root = temporaryFolder();
  const isPaired = (event: RunEvent) => event.type === 'paired' && event.iteration === 2;
  await expect(start(root, {}, isPaired)).rejects.toThrow(/abort/i);
  const { modelFolder, output } = foldersOf(root);
  // It goes back to iteration 1, and evaluations.json has the evaluation after it alone, not the one before.
  truncateSync(join(modelFolder, 'iter_1', 'dpo_model', 'model.safetensors'), 10);
  truncateSync(join(output, 'data_iter_1.json'), 10);
  const resumed: RunEvent[] = [];
  measured = 0;
  for await (const event of resumeExperiment(modelFolder, { device, guards: [guard] })) resumed.push(event);
  const repeated = { type: 'progress', stage: 'evaluate', iteration: 0, split: 'train', done: 0 };
  expect(resumed).toContainEqual(expect.objectContaining(repeated));
  // By the guards too, as the two evaluations that follow.
  const again = events.filter(
    (event) =>
      event.type === 'evaluated' &&
      (event.iteration > 0 || (event.iteration === 0 && event.split === 'train')),
  );
  expect(measured).toBe(again.flatMap((event) => (event as { rewards: number[] }).rewards).length);
  const [files, expected] = [readRunFiles(root), readRunFiles(undisturbed)];
  expect([...files.keys()]).toEqual([...expected.keys()]);
  for (const [name, content] of files) expect(content === expected.get(name), name).toBe(true);
});

it('measures the guards of pairs where it evaluates what pairs are made of', async () => {
  measured = 0;
  await start(temporaryFolder(), { iterations: 1 });
  // Train and test samples, before and after.
  expect(measured).toBe(2 * (2 + 1) * SAMPLES);
  measured = 0;
  await start(temporaryFolder(), { iterations: 1, guardPairs: false });
  expect(measured).toBe(2 * SAMPLES);
  // Pairs ask for no words: those of test samples alone are measured.
  measured = 0;
  await start(temporaryFolder(), { iterations: 1 }, undefined, [{ ...guard, figures: ['wer'] }]);
  expect(measured).toBe(2 * SAMPLES);
});
