import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runExperiment } from '../../lib/jobs/experiment.js';
import type { RunEvent } from '../../lib/run/events.js';
import { parseParameters } from '../../lib/run/parameters.js';
import { readRunRecord } from '../../lib/run/run-files.js';
import { trainFrom, trainingParameters } from '../../lib/jobs/train-from.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { temporaryFolder } from '../support/temporary-folder.js';

type Started = Extract<RunEvent, { type: 'started' }>;

async function finish(events: AsyncGenerator<RunEvent>): Promise<Started> {
  let started: Started | undefined;
  for await (const event of events) if (event.type === 'started') started = event;
  return started!;
}

const weightsOf = ({ modelDirectory }: Started, iteration: number) =>
  readFileSync(join(modelDirectory, `iter_${iteration}`, 'dpo_model', 'model.safetensors'));

it("a run's first checkpoint trained on its second pairs is its second checkpoint, bit for bit", async () => {
  const model = temporaryFolder();
  await writeTinyModel(model);
  const parameters = parseParameters({
    model,
    iterations: 2,
    trainPrompts: 3,
    testPrompts: 1,
    audioPrompts: 0,
    sampleSize: 4,
    numEval: 1,
    maxNewTokens: 40,
    epochs: 2,
    batchSize: 2,
    gradientAccumulationSteps: 2,
    learningRate: 1e-2,
    rpoAlpha: 0.5,
    seed: 7,
  });
  const run = await finish(runExperiment(parameters, { root: temporaryFolder() }));
  const pairs = join(run.outputDirectory, 'data_iter_1.json');
  const policy = join(run.modelDirectory, 'iter_0', 'dpo_model');
  const again = await finish(
    trainFrom(pairs, await trainingParameters(pairs, { policy }), { root: temporaryFolder() }),
  );
  const trained = weightsOf(again, 1);
  expect(trained.equals(weightsOf(run, 1))).toBe(true);
  expect(trained.equals(weightsOf(run, 0))).toBe(false);

  expect((await readRunRecord(again.modelDirectory)).pairsReward).toBe('even-token');
  // What is trained on the copy of these pairs is taught by the same reward.
  const copy = join(again.outputDirectory, 'data_iter_1.json');
  const further = await finish(
    trainFrom(copy, await trainingParameters(copy, {}), { root: temporaryFolder() }),
  );
  expect((await readRunRecord(further.modelDirectory)).pairsReward).toBe('even-token');

  // The same pairs as TRL has them, in lines and without rewards.
  const { prompt, chosen, rejected } = JSON.parse(readFileSync(pairs, 'utf8')) as Record<string, string[]>;
  const lines = join(temporaryFolder(), 'data_iter_1.json');
  const rows = prompt.map((text, i) => ({ prompt: text, chosen: chosen[i], rejected: rejected[i] }));
  writeFileSync(lines, rows.map((row) => JSON.stringify(row)).join('\n'));
  const trainLines = async (weightDecay?: number) => {
    const recorded = await trainingParameters(pairs, { policy, weightDecay });
    return weightsOf(await finish(trainFrom(lines, recorded, { root: temporaryFolder() })), 1);
  };
  expect((await trainLines()).equals(trained)).toBe(true);
  expect((await trainLines(0.5)).equals(trained)).toBe(false);

  const otherSeed = await trainingParameters(pairs, { policy, seed: 8, checkpointMinutes: 0 });
  const guarded = { ...otherSeed, guard: true, earlyStopping: 'guard' } as const;
  const other = await finish(trainFrom(pairs, guarded, { root: temporaryFolder() }));
  expect(weightsOf(other, 1).equals(trained)).toBe(false);
  // What it is: one iteration, that nothing guards.
  const { parameters: recorded } = await readRunRecord(other.modelDirectory);
  expect(recorded).toMatchObject({ iterations: 1, guard: false, earlyStopping: 'none', seed: 8 });
  // Of states to go on from nothing stays, since only whole runs are resumed.
  expect(readdirSync(join(other.modelDirectory, 'iter_1'))).toEqual(['dpo_model']);

  const stop = new AbortController();
  const root = temporaryFolder();
  const stopped = async () => {
    for await (const event of trainFrom(pairs, otherSeed, { root, signal: stop.signal }))
      if (event.type === 'step' && event.step === event.steps)
        stop.abort(new Error('stopped at the last step'));
  };
  await expect(stopped()).rejects.toThrow('stopped at the last step');
  const [name] = readdirSync(join(root, 'model_output'));
  expect((await readRunRecord(join(root, 'model_output', name))).state).toBe('interrupted');
});

it('a pair that the policy cannot read is told with the name of its file', async () => {
  const model = temporaryFolder();
  await writeTinyModel(model);
  const root = temporaryFolder();
  const pairs = join(root, 'mine.json');
  const columns = { prompt: ['<s>a</s>v_tok_1</s>'], chosen: ['v_tok_99999'], rejected: ['v_tok_1'] };
  const rewards = { chosen_rewards: [2], rejected_rewards: [1], average_rewards: [1.5] };
  writeFileSync(pairs, JSON.stringify({ ...columns, ...rewards }));
  await expect(finish(trainFrom(pairs, parseParameters({ model }), { root }))).rejects.toThrow(
    `${pairs}: pair 0: code 99999 of codebook 0 is outside`,
  );
  const none = { prompt: [], chosen: [], rejected: [] };
  const unrewarded = { chosen_rewards: [], rejected_rewards: [], average_rewards: [] };
  writeFileSync(pairs, JSON.stringify({ ...none, ...unrewarded }));
  await expect(finish(trainFrom(pairs, parseParameters({ model }), { root }))).rejects.toThrow(
    `${pairs} holds no preference pairs`,
  );
  expect(readdirSync(root)).toEqual(['mine.json']);
});

it('begins on more pairs than a function call can have arguments', async () => {
  const model = temporaryFolder();
  await writeTinyModel(model);
  const root = temporaryFolder();
  const pairs = join(root, 'many.json');
  const each = <T>(value: T) => Array<T>(70_000).fill(value);
  const columns = { prompt: each('<s>a</s>v_tok_1</s>'), chosen: each('v_tok_2'), rejected: each('v_tok_1') };
  const rewards = { chosen_rewards: each(2), rejected_rewards: each(1), average_rewards: each(1.5) };
  writeFileSync(pairs, JSON.stringify({ ...columns, ...rewards }));
  for await (const event of trainFrom(pairs, parseParameters({ model }), { root })) {
    expect(event.type).toBe('started');
    break;
  }
});

it('is not stopped early by a guard, which it has not', async () => {
  const given = trainingParameters(join(temporaryFolder(), 'data_iter_0.json'), { earlyStopping: 'guard' });
  await expect(given).rejects.toThrow('a training on given pairs has no guard: take none, accuracy or loss');
});
