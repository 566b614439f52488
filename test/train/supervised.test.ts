import { describe, expect, it } from 'vitest';
import { completionLogProbs } from '../../lib/dpo/completion-log-probs.js';
import { bucketedBatches } from '../../lib/train/bucketed-batches.js';
import {
  evaluateSupervised,
  trainSupervised,
  type SupervisedOptions,
  type SupervisedStep,
  type SupervisedTask,
} from '../../lib/train/supervised.js';
import {
  causalSequences,
  partnerSequences,
  type CausalExample,
  type PartnerExample,
  type Sequences,
} from '../../lib/train/sequences.js';
import type { Policy } from '../../lib/policy/policy.js';
import { uniformStream } from '../../lib/random.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { device } from '../support/device.js';

const OPTIONS: SupervisedOptions = {
  device,
  steps: 60,
  learningRate: 1e-2,
  warmupSteps: 5,
  weightDecay: 0.01,
  maxGradNorm: 1,
};
const SYMBOLS = 4;
const FIRST_ID = 12;
const HEAD = Int32Array.from({ length: SYMBOLS + 1 }, (_, i) => (i < SYMBOLS ? FIRST_ID + i : 2));

function symbols(step: number, row: number): number[] {
  const uniform = uniformStream(step, row);
  return Array.from({ length: 3 + Math.floor(4 * uniform()) }, () => Math.floor(SYMBOLS * uniform()));
}

/** Says the first symbol again and again, and ends: what comes next depends on the source and on what is written. */
const causalTask: SupervisedTask<CausalExample> = {
  sequences: causalSequences(randomPolicy()),
  batch: (step) => ({
    head: HEAD,
    examples: Array.from({ length: 8 }, (_, row): CausalExample => {
      const [first] = symbols(step, row);
      const written = Array<number>(3).fill(first);
      return {
        prompt: [0, FIRST_ID + first, 2],
        labels: [...written, SYMBOLS],
      };
    }),
  }),
};

/** Names the second symbol at both positions, at the first of which a causal decoder cannot see it. */
const bidirectionalTask: SupervisedTask<PartnerExample> = {
  sequences: partnerSequences(randomPolicy(), { source: 1, decoder: 2 }),
  batch: (step) => ({
    head: HEAD.subarray(0, SYMBOLS),
    examples: Array.from({ length: 8 }, (_, row): PartnerExample => {
      const [a, b] = symbols(step, row);
      return {
        source: [[0], [2]],
        decoder: [[FIRST_ID + a, FIRST_ID + SYMBOLS], [FIRST_ID + b]],
        labels: [b, b],
      };
    }),
  }),
};

async function train(model: Policy, task: SupervisedTask, options = OPTIONS): Promise<SupervisedStep[]> {
  const steps: SupervisedStep[] = [];
  for await (const step of trainSupervised(model, task, options)) steps.push(step);
  return steps;
}

const newModel = () => randomPolicy(3, { initStd: 0.2 });

describe('trainSupervised', () => {
  it.each([
    ['a causal decoder', causalTask],
    ['a bidirectional decoder', bidirectionalTask],
  ])('teaches %s a small task within 60 steps', async (_, task) => {
    const model = newModel();
    const before = await evaluateSupervised(model, task, 1, device);
    const steps = await train(model, task);
    expect(steps).toHaveLength(60);
    // The first step's loss is that of the untouched model on the same batch.
    expect(steps[0].loss).toBeCloseTo(before.loss, 5);
    expect(steps[0].accuracy).toBeCloseTo(before.accuracy, 6);
    const last = steps.slice(-10).reduce((total, { loss }) => total + loss / 10, 0);
    expect(last).toBeLessThan(before.loss / 4);
    const after = await evaluateSupervised(model, task, 3, device);
    expect(after.loss).toBeLessThan(before.loss / 4);
    expect(after.accuracy).toBeGreaterThan(0.9);
  });

  it('warms up linearly to the peak and decays linearly to 0', async () => {
    const options = { ...OPTIONS, steps: 5, warmupSteps: 2, learningRate: 6e-3 };
    const rates = (await train(newModel(), causalTask, options)).map(({ learningRate }) => learningRate);
    [0, 3e-3, 6e-3, 4e-3, 2e-3].forEach((expected, i) => expect(rates[i]).toBeCloseTo(expected, 12));
  });

  it("refreshes the model's weights when asked, and at the end", async () => {
    const model = newModel();
    const initial = copyWeights(model.weights);
    const training = trainSupervised(model, causalTask, { ...OPTIONS, steps: 3 });
    await training.next();
    await training.next();
    expect(model.weights).toEqual(initial);
    await training.next(true);
    const refreshed = copyWeights(model.weights);
    expect(refreshed).not.toEqual(initial);
    expect((await training.next()).done).toBe(true);
    expect(model.weights).not.toEqual(refreshed);
  });

  it('decays matrices by their share of the learning rate, and neither biases nor layer norms', async () => {
    const [plain, decayed] = [newModel(), newModel()];
    const initial = copyWeights(plain.weights);
    const options = { ...OPTIONS, steps: 1, warmupSteps: 0, weightDecay: 0 };
    await train(plain, causalTask, options);
    await train(decayed, causalTask, { ...options, weightDecay: 0.5 });
    for (const [name, { data, shape }] of plain.weights) {
      if (name === 'final_logits_bias') continue;
      const before = initial.get(name)!.data;
      const share = shape.length > 1 ? options.learningRate * 0.5 : 0;
      const expected = data.map((value, i) => value - share * before[i]);
      const found = decayed.weights.get(name)!.data;
      expect(Math.max(...expected.map((value, i) => Math.abs(value - found[i]))), name).toBeLessThan(1e-6);
    }
  });

  it('clips the gradient: one far below AdamW’s epsilon moves nothing, and is told as it was', async () => {
    const [model, whole] = [newModel(), newModel()];
    const initial = copyWeights(model.weights);
    const options = { ...OPTIONS, steps: 1, weightDecay: 0 };
    const [clipped] = await train(model, causalTask, { ...options, maxGradNorm: 1e-13 });
    const [{ gradNorm }] = await train(whole, causalTask, options);
    expect(clipped.gradNorm).toBe(gradNorm);
    for (const [name, { data }] of model.weights) {
      const before = initial.get(name)!.data;
      expect(Math.max(...data.map((value, i) => Math.abs(value - before[i]))), name).toBeLessThan(1e-6);
    }
  });

  it('gives the same bits twice', async () => {
    const [first, second] = [newModel(), newModel()];
    const options = { ...OPTIONS, steps: 4 };
    expect(await train(first, bidirectionalTask, options)).toEqual(
      await train(second, bidirectionalTask, options),
    );
    expect(second.weights).toEqual(first.weights);
  });
});

it('evaluateSupervised counts every label alike, in whatever batch it is', async () => {
  const model = newModel();
  const examples = [5, 1, 1].map((count, row): CausalExample => ({
    prompt: [0, FIRST_ID + row, 2],
    labels: symbols(row, 0).concat(symbols(row, 1)).slice(0, count),
  }));
  const taskOf = (batches: CausalExample[][]) => ({
    sequences: causalSequences(model),
    batch: (step: number) => ({ head: HEAD, examples: batches[step] }),
  });
  const whole = await evaluateSupervised(model, taskOf([examples]), 1, device);
  const parts = await evaluateSupervised(model, taskOf(examples.map((each) => [each])), 3, device);
  expect(parts.loss).toBeCloseTo(whole.loss, 5);
  expect(parts.accuracy).toBeCloseTo(whole.accuracy, 6);
  const first = await evaluateSupervised(model, taskOf([[examples[0]]]), 1, device);
  expect(Math.abs(first.loss - whole.loss)).toBeGreaterThan(1e-2);
});

it('learns the likelihood of the ids that labels stand for in the head', async () => {
  const model = newModel();
  // Of the whole vocabulary, backwards: no label is its own id.
  const size = model.config.vocab_size;
  const head = Int32Array.from({ length: size }, (_, i) => size - 1 - i);
  const completions = [
    [0, 12, 13, 2],
    [0, 14, 2],
  ];
  const prompt = [0, FIRST_ID, 2];
  const examples = completions.map((ids) => ({ prompt, labels: ids.map((id) => size - 1 - id) }));
  const task = { sequences: causalSequences(model), batch: () => ({ head, examples }) };
  const items = completions.map((completion) => ({ prompt, completion }));
  const sums = (await completionLogProbs(model, items, { device })).map(({ sum }) => sum);
  const { loss } = await evaluateSupervised(model, task, 1, device);
  expect(loss).toBeCloseTo(-(sums[0] + sums[1]) / 7, 5);
});

it('a causal decoder does not see later ids, a bidirectional one does', async () => {
  const model = newModel();
  const { architecture, config } = model;
  const causal: Sequences<PartnerExample> = {
    ...causalSequences(model),
    promptLength: ({ source }) => source.length,
    // The decoder is fed 2, then these.
    collate: (sizes, [{ source, decoder }]) =>
      architecture.collate(config, sizes, [source.flat()], [[...decoder.slice(1).flat(), 0]]),
  };
  const bidirectional = partnerSequences(model, { source: 1, decoder: 1 });
  const taskOf = (isCausal: boolean, last: number): SupervisedTask<PartnerExample> => ({
    sequences: isCausal ? causal : bidirectional,
    // One label counts: that of the first position.
    batch: () => ({
      head: HEAD,
      examples: [{ source: [[0], [2]], decoder: [[2], [FIRST_ID], [last]], labels: [1] }],
    }),
  });
  const loss = async (causal: boolean, last: number) =>
    (await evaluateSupervised(model, taskOf(causal, last), 1, device)).loss;
  expect(await loss(true, FIRST_ID)).toBeCloseTo(await loss(true, FIRST_ID + 3), 6);
  expect(Math.abs((await loss(false, FIRST_ID)) - (await loss(false, FIRST_ID + 3)))).toBeGreaterThan(1e-3);
});

describe('bucketedBatches', () => {
  const items = Array.from({ length: 103 }, (_, i) => i);
  const batchOf = bucketedBatches(items, 10, 1, (item) => item);

  it('shows an item at most once an epoch, in full batches of similar sizes', () => {
    for (const epoch of [0, 1]) {
      const batches = Array.from({ length: 10 }, (_, i) => batchOf(10 * epoch + i));
      const shown = batches.flat();
      expect(shown).toHaveLength(100);
      expect(new Set(shown).size).toBe(100);
      for (const batch of batches) expect(Math.max(...batch) - Math.min(...batch)).toBeLessThan(20);
    }
  });

  it('orders epochs differently, and the same for the same seed', () => {
    const again = bucketedBatches(items, 10, 1, (item) => item);
    expect(again(13)).toEqual(batchOf(13));
    const epoch = (number: number) => Array.from({ length: 10 }, (_, i) => again(10 * number + i));
    expect(epoch(0)).not.toEqual(epoch(1));
  });

  it('does not go from the smallest items to the largest', () => {
    const sizes = Array.from({ length: 10 }, (_, step) => batchOf(step)[0]);
    expect(sizes).not.toEqual(sizes.toSorted((a, b) => a - b));
  });

  it('puts other items together in each epoch, where there are many', () => {
    const many = Array.from({ length: 1000 }, (_, i) => i);
    const next = bucketedBatches(many, 10, 1, (item) => item);
    const together = (epoch: number) =>
      Array.from({ length: 100 }, (_, i) => next(100 * epoch + i).join()).sort();
    const first = new Set(together(0));
    expect(together(1).filter((batch) => first.has(batch)).length).toBeLessThan(10);
  });

  it('leaves out by chance what does not fill a batch, the longest as seldom as others', () => {
    const shown = new Set(Array.from({ length: 100 }, (_, step) => batchOf(step)).flat());
    expect(shown.size).toBe(103);
  });

  it('refuses items that do not fill one batch', () => {
    expect(() => bucketedBatches([1, 2], 3, 1, (item) => item)).toThrow('2 items do not fill a batch of 3');
  });
});
