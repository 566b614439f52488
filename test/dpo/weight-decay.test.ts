/** Weight decay as TRL's DPOTrainer has it: `test/fixtures/golden/make_weight_decay.py`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { trainDpo } from '../../lib/dpo/trainer.js';
import { buffersOf } from '../../lib/policy/architecture.js';
import { bart } from '../../lib/policy/bart/bart.js';
import { loadPretrained } from '../../lib/policy/pretrained.js';
import { isDecayed } from '../../lib/train/adamw.js';
import { readDpoGolden } from '../../lib/verify/golden.js';
import { isUndetermined } from '../../lib/verify/training.js';
import { device } from '../support/device.js';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'golden');
const TOLERANCE = 5e-6;

const schema = z.object({
  args: z.object({
    learning_rate: z.number(),
    weight_decay: z.number(),
    beta: z.number(),
    max_grad_norm: z.number(),
    max_steps: z.int(),
    per_device_train_batch_size: z.int(),
  }),
  decayed: z.array(z.string()),
  final_checksums: z.record(z.string(), z.object({ l2: z.number(), first4: z.array(z.number()) })),
});

const readGolden = async () =>
  schema.parse(JSON.parse(await readFile(join(FIXTURE, 'weight_decay.json'), 'utf8')));

const openModel = () => loadPretrained(join(FIXTURE, 'tiny_bart'), [bart]);

/** The weights after TRL's ten steps. */
async function train(weightDecay: number | undefined) {
  const { args } = await readGolden();
  const model = await openModel();
  const pairs = (await readDpoGolden(FIXTURE)).tokenized_rows.map((row) => ({
    prompt: row.prompt_input_ids,
    chosen: row.chosen_labels,
    rejected: row.rejected_labels,
  }));
  const batchSize = args.per_device_train_batch_size;
  const training = trainDpo(model, pairs, {
    ...{ device, batchSize, weightDecay, beta: args.beta, learningRate: args.learning_rate },
    ...{ epochs: args.max_steps / (pairs.length / batchSize), gradientAccumulationSteps: 1 },
    ...{ maxGradNorm: args.max_grad_norm, validationShare: 0, seed: 0, shuffle: false },
  });
  let steps = 0;
  for await (const event of training) if (event.type === 'step') steps += 1;
  expect(steps).toBe(args.max_steps);
  return model.weights;
}

const l2 = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

it("ten steps end with TRL's weights", async () => {
  const [{ final_checksums }, initial, weights] = [
    await readGolden(),
    (await openModel()).weights,
    await train((await readGolden()).args.weight_decay),
  ];
  const names = Object.keys(final_checksums).filter((name) => !isUndetermined(name));
  expect(names).toHaveLength(initial.size - 1 - 6);
  for (const name of names) {
    const { l2: size, first4 } = final_checksums[name];
    const data = weights.get(name)!.data as Float32Array;
    expect(Math.abs(l2(data) / size - 1), name).toBeLessThan(TOLERANCE);
    first4.forEach((value, i) => expect(Math.abs(data[i] - value), name).toBeLessThan(TOLERANCE));
  }
  const plain = await train(undefined);
  for (const name of names) {
    const difference = Math.abs(l2(plain.get(name)!.data as Float32Array) / final_checksums[name].l2 - 1);
    if (isDecayed(initial.get(name)!.shape)) expect(difference, name).toBeGreaterThan(100 * TOLERANCE);
    else expect(difference, name).toBeLessThan(100 * TOLERANCE);
  }
});

it('what decays is what the Trainer of transformers decays', async () => {
  const { decayed } = await readGolden();
  const model = await openModel();
  const buffers = new Set(buffersOf(model));
  const trained = [...model.weights].filter(([name]) => !buffers.has(name));
  const found = trained.filter(([, { shape }]) => isDecayed(shape)).map(([name]) => name);
  expect(found.length).toBeLessThan(trained.length);
  // transformers names a tied weight at each of its places.
  expect(new Set(found)).toEqual(new Set(decayed.filter((name) => model.weights.has(name))));
});
