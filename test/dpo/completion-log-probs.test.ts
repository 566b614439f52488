import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { completionLogProbs } from '../../lib/dpo/completion-log-probs.js';
import { trainDpo } from '../../lib/dpo/trainer.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { readDpoGolden, readForwardGolden } from '../../lib/verify/golden.js';
import { device } from '../support/device.js';
import { sharedPath } from '../support/shared.js';
import { OPTIONS, randomPairs } from './random-pairs.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/golden', import.meta.url));
const folders = [FIXTURE, sharedPath('golden/bart')].filter((folder) => folder !== undefined);
const model = await loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);

const difference = (actual: ArrayLike<number>, expected: readonly number[]): number => {
  expect(actual.length).toBe(expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i])));
};

it.each(folders)("are transformers' of each label, in %s", async (folder) => {
  const golden = await readForwardGolden(folder);
  const model = await loadPretrained(join(folder, 'tiny_bart'), [bart]);
  // -100: a label that does not count.
  const completions = golden.labels.map((labels) => labels.filter((label) => label >= 0));
  const prompts = golden.input_ids.map((ids, i) => ids.filter((_, j) => golden.attention_mask[i][j] === 1));
  const items = prompts.map((prompt, i) => ({ prompt, completion: completions[i] }));
  for (const batchSize of [1, 8]) {
    const computed = await completionLogProbs(model, items, { device, batchSize });
    for (const [i, { sum, perLabel }] of computed.entries()) {
      const expected = golden.per_token_logps[i].slice(0, completions[i].length);
      expect(difference(perLabel, expected)).toBeLessThan(2e-6);
      expect(Math.abs(sum - golden.sum_logps[i])).toBeLessThan(2e-5);
    }
  }
});

it("are TRL's of chosen and rejected completions", async () => {
  const golden = await readDpoGolden(FIXTURE);
  const [first] = golden.train_steps;
  const rows = golden.tokenized_rows.slice(0, golden.args.per_device_train_batch_size);
  const sumsOf = async (labels: 'chosen_labels' | 'rejected_labels') => {
    const items = rows.map((row) => ({ prompt: row.prompt_input_ids, completion: row[labels] }));
    return (await completionLogProbs(model, items, { device })).map(({ sum }) => sum);
  };
  expect(difference(await sumsOf('chosen_labels'), first.policy_chosen_logps)).toBeLessThan(2e-5);
  expect(difference(await sumsOf('rejected_labels'), first.policy_rejected_logps)).toBeLessThan(2e-5);
});

it("are what a training's first step has of its pairs, whatever else is in the batch", async () => {
  const pairs = randomPairs(model.config, 5);
  const items = pairs.flatMap(({ prompt, chosen, rejected }) => [
    { prompt, completion: chosen },
    { prompt, completion: rejected },
  ]);
  const steps = trainDpo({ ...model, weights: new Map(model.weights) }, pairs, {
    ...OPTIONS,
    batchSize: 5,
    shuffle: false,
  });
  const { value: step } = await steps.next();
  if (step?.type !== 'step') throw new Error('no step');
  await steps.return(undefined);
  for (const batchSize of [1, 3, 10]) {
    const computed = await completionLogProbs(model, items, { device, batchSize });
    expect(
      difference(
        computed.map(({ sum }) => sum),
        [...step.logps],
      ),
    ).toBeLessThan(2e-5);
  }
});

it('say which item is too long or empty, and end when aborted', async () => {
  const good = { prompt: [0, 5, 2], completion: [0, 6, 2] };
  const run = (item: object, signal?: AbortSignal) =>
    completionLogProbs(model, [good, { ...good, ...item }], { device, signal });
  const { max_position_embeddings: most } = model.config;
  await expect(run({ completion: Array<number>(most + 1).fill(5) })).rejects.toThrow(
    `item 1: the completion has ${most + 1} ids; the model takes 1 to ${most}`,
  );
  expect((await run({ completion: Array<number>(most).fill(5) }))[1].perLabel).toHaveLength(most);
  await expect(run({ prompt: [] })).rejects.toThrow('item 1: the prompt has 0 ids');
  for (const id of [-1, 5.5, model.config.vocab_size])
    await expect(run({ completion: [0, id, 2] })).rejects.toThrow(
      `item 1: the completion has the id ${id}, but the model has ids from 0 to `,
    );
  await expect(run({}, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});

it.each([0, -1, 0.5, NaN])('refuses batches of %d, which would never end', async (batchSize) => {
  const items = [{ prompt: [0, 2], completion: [0, 2] }];
  await expect(completionLogProbs(model, items, { device, batchSize })).rejects.toThrow(
    `the batch size must be a whole number from 1 on, not ${batchSize}`,
  );
});
