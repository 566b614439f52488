/** Losses and references by a run's parameters. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runExperiment } from '../../lib/jobs/experiment.js';
import { trainFrom, trainingParameters } from '../../lib/jobs/train-from.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters, type Parameters } from '../../lib/run/parameters.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { writeTinyModel } from '../support/tiny-model.js';

type Started = Extract<RunEvent, { type: 'started' }>;
type Step = Extract<RunEvent, { type: 'step' }>;
/** Of diverged_iter_k.json. */
interface KeptSample {
  index: number;
  desirable: boolean;
  completion: string;
  logp: string;
  reference_logp: string;
}

const SMALL: Partial<Parameters> = {
  ...{ iterations: 2, trainPrompts: 3, testPrompts: 1, audioPrompts: 0, sampleSize: 4, numEval: 1 },
  ...{ maxNewTokens: 40, epochs: 2, batchSize: 2, learningRate: 1e-2, seed: 7 },
};

async function finish(events: AsyncGenerator<RunEvent>) {
  const all: RunEvent[] = [];
  for await (const event of events) all.push(event);
  const started = all.find((event): event is Started => event.type === 'started')!;
  const steps = all.filter((event): event is Step => event.type === 'step');
  return { ...started, steps: [0, 1].map((k) => steps.filter(({ iteration }) => iteration === k)) };
}

async function run(changes: Partial<Parameters>) {
  const model = temporaryFolder();
  await writeTinyModel(model);
  return finish(runExperiment(parseParameters({ ...SMALL, model, ...changes }), { root: temporaryFolder() }));
}

const weightsOf = ({ modelDirectory }: Started, iteration: number) =>
  readFileSync(join(modelDirectory, `iter_${iteration}`, 'dpo_model', 'model.safetensors'));

describe('a run', () => {
  it('by kto is learned from single samples, and trained from its pairs again bit for bit', async () => {
    const whole = await run({ loss: 'kto', undesirableWeight: 1.5 });
    // At its start each sample counts half of its weight.
    expect(whole.steps[0][0].metrics.loss).toBeCloseTo((1 + 1.5) / 4, 5);
    expect(whole.steps[0][0].metrics.kl).toBe(0);
    expect(whole.steps[1].at(-1)!.metrics['rewards/margins']).toBeGreaterThan(0);
    const pairs = join(whole.outputDirectory, 'data_iter_1.json');
    const policy = join(whole.modelDirectory, 'iter_0', 'dpo_model');
    const parameters = await trainingParameters(pairs, { policy });
    expect(parameters).toMatchObject({ loss: 'kto', undesirableWeight: 1.5 });
    const again = await finish(trainFrom(pairs, parameters, { root: temporaryFolder() }));
    expect(weightsOf(again, 1).equals(weightsOf(whole, 1))).toBe(true);
  });

  it('pulled to its first policy differs from its second iteration on', async () => {
    const [start, first] = [await run({}), await run({ reference: 'first' })];
    expect(weightsOf(first, 0).equals(weightsOf(start, 0))).toBe(true);
    expect(start.steps[1][0].metrics['rewards/margins']).toBeCloseTo(0, 5);
    expect(Math.abs(first.steps[1][0].metrics['rewards/margins']!)).toBeGreaterThan(1e-3);
    const pairs = join(first.outputDirectory, 'data_iter_1.json');
    const parameters = await trainingParameters(pairs, {});
    await expect(finish(trainFrom(pairs, parameters, { root: temporaryFolder() }))).rejects.toThrow(
      'the reference "first" is the policy that a run began with, which a training on given pairs does not know: take --reference start',
    );
  });
});

it('a run by kto that diverges keeps the single samples, each with its own log-probability', async () => {
  const root = temporaryFolder();
  const model = temporaryFolder();
  await writeTinyModel(model);
  const parameters = parseParameters({ ...SMALL, model, loss: 'kto', batchSize: 1, learningRate: 1e38 });
  await expect(finish(runExperiment(parameters, { root }))).rejects.toThrow(
    /nothing of it was saved, the samples that gave it are in /,
  );
  const [run] = readdirSync(join(root, 'output'));
  const read = (name: string): unknown => JSON.parse(readFileSync(join(root, 'output', run, name), 'utf8'));
  const rows = read('data_iter_0.json') as Record<'chosen' | 'rejected', string[]>;
  const kept = read('diverged_iter_0.json') as { samples: KeptSample[] };
  expect(kept).not.toHaveProperty('pairs');
  const { samples } = kept;
  expect(samples.map(({ desirable }) => desirable)).toEqual([true, false]);
  for (const { index, desirable, completion, logp, reference_logp: reference } of samples) {
    expect(completion).toBe(rows[desirable ? 'chosen' : 'rejected'][index]);
    expect(logp).toBe('NaN');
    expect(Number(reference)).toBeLessThan(0);
  }
});

it('parameters of losses are refused in one sentence', () => {
  expect(() => parseParameters({ loss: 'dpo' })).toThrow(
    /^wrong parameters: there is no loss "dpo"; the losses are/,
  );
  expect(() => parseParameters({ loss: 'kto', rpoAlpha: 0.1 })).toThrow(
    'wrong parameters: kto is a loss of single samples and is mixed with no other',
  );
  expect(() => parseParameters({ reference: 'second' })).toThrow(/reference/);
});
