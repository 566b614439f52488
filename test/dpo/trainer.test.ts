import { describe, expect, it } from 'vitest';
import type { DeferredTensor, FloatTensor, HostTensor } from '../../lib/engine/host-tensor.js';
import { batchShape, collatePairs, labelCounts, type PreferencePair } from '../../lib/dpo/batch.js';
import { compileBatch, gradientOf, splitTrained } from '../../lib/train/gradient-program.js';
import { pairProgram } from '../../lib/dpo/pair-program.js';
import { ktoLoss } from '../../lib/dpo/losses/kto.js';
import { sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { trainDpo, type DpoEvent, type DpoOptions, type TrainingSnapshot } from '../../lib/dpo/trainer.js';
import { buffersOf } from '../../lib/policy/architecture.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { OPTIONS, randomPairs } from './random-pairs.js';
import { device } from '../support/device.js';

const { architecture, config, weights: initial } = randomPolicy(8, { initStd: 0.2 });
const pairs = randomPairs(config, 4);
type Step = Extract<DpoEvent, { type: 'step' }>;
type Validated = Extract<DpoEvent, { type: 'validated' }>;

async function train(on: PreferencePair[], options: Partial<DpoOptions> = {}, start = initial) {
  const weights = copyWeights(start);
  const events: DpoEvent[] = [];
  for await (const event of trainDpo({ architecture, config, weights }, on, { ...OPTIONS, ...options }))
    events.push(event);
  const steps = events.filter((event): event is Step => event.type === 'step');
  const validated = events.filter((event): event is Validated => event.type === 'validated');
  return { weights, steps, validated, events };
}

const floats = (tensor: HostTensor) => tensor.data as Float32Array;

/** Without keys' biases: their gradient is zero but for rounding, of which AdamW makes full steps. */
function largestDifference(a: Map<string, FloatTensor>, b: Map<string, FloatTensor>): number {
  let largest = 0;
  for (const [name, tensor] of a) {
    if (name.endsWith('k_proj.bias')) continue;
    const other = floats(b.get(name)!);
    floats(tensor).forEach((value, i) => (largest = Math.max(largest, Math.abs(value - other[i]))));
  }
  return largest;
}

describe('training', () => {
  it('does not touch an unclipped gradient: three steps against AdamW in float64', async () => {
    const steps = 3;
    const batch = pairs.slice(0, 2);
    const options = { epochs: steps, shuffle: false, maxGradNorm: 1e6 };
    const unclipped = await train(batch, options);
    const expected = await trainInFloat64(batch, steps);
    expect(largestDifference(unclipped.weights, expected.weights)).toBeLessThan(2e-6);
    unclipped.steps.forEach(({ metrics }, i) =>
      expect(metrics.grad_norm! / expected.norms[i]).toBeCloseTo(1, 5),
    );
    // Clipping would show.
    const smallest = Math.min(...expected.norms);
    const clipped = await train(batch, { ...options, maxGradNorm: smallest / 3 });
    expect(largestDifference(clipped.weights, expected.weights)).toBeGreaterThan(1e-4);
  });

  it("adds RPO's term to loss and gradient", async () => {
    const options = { epochs: 40, learningRate: 3e-4, shuffle: false, batchSize: 4 };
    const plain = await train(pairs, options);
    const rpo = await train(pairs, { ...options, rpoAlpha: 2 });
    const tokens = pairs.reduce((sum, { chosen }) => sum + chosen.length, 0) / pairs.length;
    for (const { metrics } of rpo.steps) {
      expect(metrics.nll_loss! * tokens).toBeCloseTo(-metrics['logps/chosen']!, 3);
      const margins = metrics.loss - 2 * metrics.nll_loss!;
      expect(margins).toBeGreaterThan(0);
      expect(margins).toBeLessThan(1);
    }
    expect(plain.steps.at(-1)!.metrics.nll_loss).toBeUndefined();
    expect(rpo.steps[0].metrics.loss - 2 * rpo.steps[0].metrics.nll_loss!).toBeCloseTo(Math.LN2, 5);
    // The chosen completions gain likelihood that plain DPO does not give them.
    const gained = (steps: Step[]) =>
      steps.at(-1)!.metrics['logps/chosen']! - steps[0].metrics['logps/chosen']!;
    expect(gained(rpo.steps)).toBeGreaterThan(gained(plain.steps) + 1);
  });

  it.each([
    ['two of 2', 2, 2],
    ['four of 1', 1, 4],
    ['3 and a short one of 1', 3, 2],
  ])(
    'takes the same steps on accumulated batches as on one of all their pairs: %s',
    async (_, batchSize, gradientAccumulationSteps) => {
      // Chosen completions of 12, 9, 6 and 3 labels.
      const uneven = pairs.map((pair, i) => ({
        ...pair,
        chosen: [...Array<number>(11 - 3 * i).fill(5 + i), 2],
      }));
      const options = { epochs: 3, shuffle: false, rpoAlpha: 2 };
      const whole = await train(uneven, { ...options, batchSize: 4 });
      const parts = await train(uneven, { ...options, batchSize, gradientAccumulationSteps });
      expect(parts.steps).toHaveLength(3);
      expect(largestDifference(whole.weights, parts.weights)).toBeLessThan(5e-6);
      whole.steps.forEach(({ metrics }, i) => {
        for (const [name, value] of Object.entries(metrics))
          expect(Math.abs(parts.steps[i].metrics[name as keyof typeof metrics]! - value), name).toBeLessThan(
            2e-5,
          );
      });
    },
  );

  it('has a beta of 0.1 where none is given', async () => {
    const options = { epochs: 2, shuffle: false };
    const { events } = await train(pairs, { ...options, beta: undefined });
    expect(events).toEqual((await train(pairs, { ...options, beta: 0.1 })).events);
  });

  it('clips to a norm of 1, takes a step a batch and validates nothing where nothing else is said', async () => {
    const options = { epochs: 2, shuffle: false };
    const said = { gradientAccumulationSteps: 1, maxGradNorm: 1, validationShare: 0 };
    const { events, weights } = await train(pairs, options);
    const expected = await train(pairs, { ...options, ...said });
    expect(events).toEqual(expected.events);
    expect(weights).toEqual(expected.weights);
    expect(expected.steps[0].metrics.grad_norm).toBeGreaterThan(1);
  });

  it('raises the chosen above the rejected', async () => {
    const { steps } = await train(pairs, { epochs: 10, learningRate: 3e-3 });
    expect(steps[0].metrics).toMatchObject({ 'rewards/accuracies': 0, 'rewards/margins': 0, loss: Math.LN2 });
    expect(steps.at(-1)!.metrics['rewards/accuracies']).toBe(1);
    expect(steps.at(-1)!.metrics.loss).toBeLessThan(0.5);
  });

  it('lets the learning rate fall linearly to 0, counts steps and epochs, and keeps the last short batch', async () => {
    const { steps } = await train(pairs.slice(0, 3), { epochs: 2, learningRate: 8e-4 });
    const rates = [8e-4, 6e-4, 4e-4, 2e-4];
    rates.forEach((rate, i) => expect(steps[i].metrics.learning_rate).toBeCloseTo(rate, 15));
    expect(steps.map(({ epoch, step, steps: all }) => [epoch, step, all])).toEqual([
      [0, 1, 4],
      [0, 2, 4],
      [1, 3, 4],
      [1, 4, 4],
    ]);
    expect(steps.map(({ logps }) => logps.length)).toEqual([4, 2, 4, 2]);
  });

  it('makes one step of the batches that are left at the end of an epoch', async () => {
    const { steps } = await train(pairs.slice(0, 3), {
      batchSize: 1,
      gradientAccumulationSteps: 2,
      epochs: 2,
    });
    expect(steps.map(({ logps }) => logps.length)).toEqual([4, 2, 4, 2]);
  });

  it('gives the same bits for the same seed, and others for another', async () => {
    const options = { epochs: 2, batchSize: 1, validationShare: 0.2 };
    const [first, second] = [await train(pairs, options), await train(pairs, options)];
    expect(second.weights).toEqual(first.weights);
    expect(second.events).toEqual(first.events);
    const other = await train(pairs, { ...options, seed: 6 });
    expect(largestDifference(other.weights, first.weights)).toBeGreaterThan(1e-5);
  });

  it('changes every tensor but the bias of the output head, which is a buffer', async () => {
    const { weights } = await train(pairs);
    const unchanged = [...weights].filter(
      ([name, { data }]) => Buffer.compare(bytes(data), bytes(initial.get(name)!.data)) === 0,
    );
    expect(unchanged.map(([name]) => name)).toEqual(['final_logits_bias']);
  });

  it.each(['prompt', 'chosen', 'rejected'] as const)(
    'refuses a pair whose %s is too long for the model',
    async (part) => {
      const positions = config.max_position_embeddings;
      const long = { ...pairs[1], [part]: Array<number>(positions + 1).fill(5) };
      await expect(train([pairs[0], long])).rejects.toThrow(
        `pair 1: ${part} has ${positions + 1} ids, the model has ${positions} positions`,
      );
    },
  );

  it.each([
    [
      { prompt: 'Make it faster.' },
      'pair 1: prompt must be a list of token ids, as packPrompt and packCompletion',
    ],
    [{ rejected: undefined }, 'pair 1: rejected must be a list of token ids'],
    [{ chosen: [] }, 'pair 1: chosen has no ids'],
    [{ chosen: [0, -1, 2] }, 'pair 1: chosen has the id -1, but the model has ids from 0 to '],
    [{ rejected: [0, 1e6, 2] }, 'pair 1: rejected has the id 1000000'],
    [
      { rewards: { chosen: null, rejected: 1 } },
      'pair 1: its rewards must be two finite numbers, not null and 1',
    ],
    [
      { rewards: { chosen: 1, rejected: NaN } },
      'pair 1: its rewards must be two finite numbers, not 1 and NaN',
    ],
  ])('refuses a pair with %j', async (part, message) => {
    await expect(train([pairs[0], { ...pairs[1], ...part } as PreferencePair])).rejects.toThrow(message);
  });

  it('refuses to train on nothing', async () => {
    await expect(train([])).rejects.toThrow('there are no preference pairs to train on');
  });
});

describe('validation', () => {
  /** With a learning rate of 0 a pair's log-probabilities never change and tell which pair it is. */
  const frozen = { learningRate: 0, batchSize: 1 };

  it('takes the pairs in another order in each epoch, unless they are to keep theirs', async () => {
    const orders = async (options: Partial<DpoOptions>) => {
      const { steps } = await train(pairs, { ...frozen, ...options, epochs: 3 });
      const taken = steps.map(({ logps }) => logps[0].toFixed(3));
      return [0, 4, 8].map((start) => taken.slice(start, start + 4));
    };
    const [first, ...others] = await orders({});
    for (const order of others) expect(order.toSorted()).toEqual(first.toSorted());
    expect(others).not.toEqual([first, first]);
    const [given, ...again] = await orders({ shuffle: false });
    expect(again).toEqual([given, given]);
  });

  it('keeps a tenth of ten pairs out of training, and every pair in one of the two', async () => {
    const ten = randomPairs(config, 10, 2);
    const { steps, validated } = await train(ten, { ...frozen, validationShare: 0.1, epochs: 2 });
    expect(steps).toHaveLength(18);
    expect(validated.map(({ epoch, step }) => [epoch, step])).toEqual([
      [0, 9],
      [1, 18],
    ]);
    const trained = new Set(steps.map(({ logps }) => logps[0]));
    const held = validated[0].metrics['logps/chosen']!;
    expect(trained.size).toBe(9);
    for (const value of trained) expect(Math.abs(value - held)).toBeGreaterThan(1e-3);
    const all = await train(ten, { ...frozen, validationShare: 0 });
    // Programs with and without a backward pass may round differently.
    const ascending = (values: Iterable<number>) => Array.from(values, (value) => value.toFixed(3)).sort();
    expect(ascending(all.steps.map(({ logps }) => logps[0]))).toEqual(ascending([...trained, held]));
    const heldBy = new Set<string>();
    for (const seed of [1, 2, 3, 4]) {
      const options = { ...frozen, batchSize: 9, validationShare: 0.1, seed };
      heldBy.add((await train(ten, options)).validated[0].metrics['logps/chosen']!.toFixed(3));
    }
    expect(heldBy.size).toBeGreaterThan(1);
  });

  it('holds out whole prompts, so that no pair of a validated one is trained on', async () => {
    const other = randomPairs(config, 12, 2);
    // Three pairs of each of four prompts, the prompts' pairs apart from each other.
    const some = other.map((pair, index) => ({ ...pair, prompt: other[index % 4].prompt }));
    const alone = await train(some, { ...frozen, validationShare: 0, shuffle: false });
    const promptOf = new Map(alone.steps.map(({ logps }, index) => [logps[0].toFixed(2), index % 4]));
    expect(promptOf.size).toBe(12);
    const promptsTrained = async (validationShare: number) => {
      const { steps } = await train(some, { ...frozen, validationShare });
      return {
        steps: steps.length,
        prompts: new Set(steps.map(({ logps }) => promptOf.get(logps[0].toFixed(2)))).size,
      };
    };
    expect(await promptsTrained(0.1)).toEqual({ steps: 9, prompts: 3 });
    expect(await promptsTrained(0.3)).toEqual({ steps: 6, prompts: 2 });
    // One prompt is left to train on.
    expect(await promptsTrained(0.99)).toEqual({ steps: 3, prompts: 1 });
    const ofTwo = other.slice(0, 6).map((pair, index) => ({ ...pair, prompt: other[index % 2].prompt }));
    expect((await train(ofTwo, { ...frozen, validationShare: 0.1 })).steps).toHaveLength(3);
  });

  it('trains on a pair that is there twice, and validates on it', async () => {
    const { steps, validated } = await train([pairs[0], pairs[0]], { ...frozen, validationShare: 0.1 });
    expect(steps).toHaveLength(1);
    expect(validated).toHaveLength(1);
  });

  it('uses a single pair for both', async () => {
    const { steps, validated } = await train(pairs.slice(0, 1), { ...frozen, validationShare: 0.1 });
    expect(steps).toHaveLength(1);
    expect(validated[0].metrics['logps/chosen']).toBeCloseTo(steps[0].logps[0], 4);
  });

  it('leaves at least one pair to train on', async () => {
    const { steps, validated } = await train(pairs.slice(0, 2), { ...frozen, validationShare: 0.9 });
    expect([steps.length, validated.length]).toEqual([1, 1]);
  });

  it('can be left out', async () => {
    const { steps, validated } = await train(pairs, { ...frozen, validationShare: 0 });
    expect([steps.length, validated.length]).toEqual([4, 0]);
  });

  it('measures the policy of that moment against the reference, without gradient figures', async () => {
    const { steps, validated } = await train(pairs.slice(0, 1), { epochs: 3, validationShare: 0.1 });
    // Validation after an epoch and the next epoch's step see the same weights and, here, the same pair.
    for (const epoch of [0, 1]) {
      const { grad_norm, learning_rate, ...rest } = steps[epoch + 1].metrics;
      expect(grad_norm! * learning_rate!).toBeGreaterThan(0);
      for (const [name, value] of Object.entries(rest))
        expect(validated[epoch].metrics[name as keyof typeof rest], name).toBeCloseTo(value, 4);
      expect(Object.keys(validated[epoch].metrics)).toEqual(Object.keys(rest));
    }
  });
});

it.each([
  ['beta', -1],
  ['learningRate', -1],
  ['warmupSteps', -1],
  ['epochs', 0],
  ['epochs', 1.5],
  ['batchSize', 0],
  ['gradientAccumulationSteps', 0],
  ['maxGradNorm', 0],
  ['validationShare', 1],
  ['seed', -1],
])('refuses a %s of %d', async (name, value) => {
  await expect(train(pairs, { [name]: value })).rejects.toThrow(`wrong training options: ${name}: `);
});

it('refuses a maxGradNorm that is no number', async () => {
  const options = { maxGradNorm: true } as unknown as Partial<DpoOptions>;
  await expect(train(pairs, options)).rejects.toThrow('maxGradNorm: expected a number above 0');
});

it('refuses an option that it does not know, and a device that is none', async () => {
  const misspelt = { shufle: false } as Partial<DpoOptions>;
  await expect(train(pairs, misspelt)).rejects.toThrow(/^wrong training options: .*"shufle"/);
  await expect(train(pairs, { device: undefined })).rejects.toThrow(
    'wrong training options: device: expected one, as new CpuDevice()',
  );
});

it('refuses a beta beside a loss, which has its own', async () => {
  await expect(train(pairs, { beta: 0.1, loss: ktoLoss({ beta: 0.1 }) })).rejects.toThrow(
    'beta is the sigmoid loss\'s; the loss "kto" must be given its own when it is made',
  );
});

it('refuses a second training of a policy while the first is under way, and not after it', async () => {
  const policy = { architecture, config, weights: copyWeights(initial) };
  const first = trainDpo(policy, pairs, OPTIONS);
  await first.next();
  const second = () => trainDpo({ ...policy }, pairs, OPTIONS).next();
  await expect(second()).rejects.toThrow(/^another training of these weights is under way/);
  await expect(second()).rejects.toThrow(/^another training of these weights is under way/);
  await first.return(undefined);
  const third = trainDpo(policy, pairs, OPTIONS);
  await expect(third.next()).resolves.toMatchObject({ value: { type: 'step' } });
  await third.return(undefined);
});

describe('training that does not finish leaves the weights as they were', () => {
  async function expectUntouched(run: (weights: Map<string, FloatTensor>) => Promise<void>): Promise<void> {
    const weights = copyWeights(initial);
    await run(weights);
    expect(weights).toEqual(initial);
  }

  it('when aborted', () =>
    expectUntouched(async (weights) => {
      const abort = new AbortController();
      const seen: DpoEvent[] = [];
      const run = async () => {
        for await (const event of trainDpo({ architecture, config, weights }, pairs, {
          ...OPTIONS,
          epochs: 3,
          signal: abort.signal,
        })) {
          seen.push(event);
          abort.abort(new Error('interrupted'));
        }
      };
      await expect(run()).rejects.toThrow('interrupted');
      expect(seen).toHaveLength(1);
    }));

  it('when the consumer leaves', () =>
    expectUntouched(async (weights) => {
      for await (const event of trainDpo({ architecture, config, weights }, pairs, OPTIONS))
        if (event.type === 'step') break;
    }));

  it('when a loss is not finite, after telling which pairs gave it', () =>
    expectUntouched(async (weights) => {
      const diverging = trainDpo({ architecture, config, weights }, pairs, {
        ...OPTIONS,
        learningRate: 1e38,
        shuffle: false,
      });
      const seen: DpoEvent[] = [];
      const run = async () => {
        for await (const event of diverging) seen.push(event);
      };
      await expect(run()).rejects.toThrow('the loss is NaN at optimizer step 2');
      expect(seen.map(({ type }) => type)).toEqual(['step', 'diverged']);
      const [, diverged] = seen as [Step, Extract<DpoEvent, { type: 'diverged' }>];
      expect(diverged.step).toBe(2);
      expect(diverged.pairs).toEqual([2, 3]);
      expect(diverged.logps.every((logp) => Number.isFinite(logp))).toBe(false);
      // The reference is the policy before the first step.
      const still = await train(pairs, { learningRate: 0, shuffle: false });
      expect(diverged.referenceLogps).toHaveLength(4);
      diverged.referenceLogps.forEach((logp, i) => expect(logp).toBeCloseTo(still.steps[1].logps[i], 3));
    }));
});

it('tells of what diverged by the places of the examples, also where their sides count alone', async () => {
  const diverging = trainDpo({ architecture, config, weights: copyWeights(initial) }, pairs, {
    ...{ ...OPTIONS, beta: undefined, loss: ktoLoss({ beta: 0.1 }) },
    ...{ learningRate: 1e38, shuffle: false },
  });
  const seen: DpoEvent[] = [];
  const run = async () => {
    for await (const event of diverging) seen.push(event);
  };
  await expect(run()).rejects.toThrow('at optimizer step 2');
  expect(seen.at(-1)).toMatchObject({ pairs: [2, 2, 3, 3], desirable: [true, false, true, false] });
});

describe('training that need not keep the weights', () => {
  const trainedOf = (weights: Map<string, FloatTensor>) =>
    [...weights].filter(([name]) => !buffersOf({ architecture, weights }).includes(name));

  it.each<[string, Partial<DpoOptions>, boolean]>([
    ['frees them meanwhile', {}, true],
    ['keeps them for a reference that moves', { reference: { everySteps: 1, mixup: 0.5 } }, false],
  ])('%s, and comes to the same', async (_, options, frees) => {
    const expected = await train(pairs, options);
    const weights = copyWeights(initial);
    const events = trainDpo({ architecture, config, weights }, pairs, {
      ...OPTIONS,
      ...options,
      keepsWeights: false,
    });
    for await (const _ of events)
      for (const [name, { data }] of trainedOf(weights)) expect(data.length === 0, name).toBe(frees);
    expect(weights).toEqual(expected.weights);
  });

  it('is without them where it does not finish', async () => {
    const weights = copyWeights(initial);
    const options = { ...OPTIONS, keepsWeights: false };
    for await (const _ of trainDpo({ architecture, config, weights }, pairs, options)) break;
    for (const [name, { data }] of trainedOf(weights)) expect(data, name).toHaveLength(0);
    const again = trainDpo({ architecture, config, weights }, pairs, options).next();
    await expect(again).rejects.toThrow(/^the weight \S+ is empty: a training was told keepsWeights: false/);
  });

  it('says so where the reference is the policy itself', async () => {
    const policy = { architecture, config, weights: copyWeights(initial) };
    const events = trainDpo(policy, pairs, { ...OPTIONS, reference: policy, keepsWeights: false });
    await expect(events.next()).rejects.toThrow(/^the weight \S+ is empty/);
  });
});

describe('training that goes on from a snapshot', () => {
  // Eight to train on: two steps an epoch, of two micro-batches each.
  const many = randomPairs(config, 9);
  const options = { epochs: 2, batchSize: 2, gradientAccumulationSteps: 2, validationShare: 0.1 };

  it.each([
    [1, 0],
    [2, 0],
    [1, 0.1],
  ])(
    'after step %i takes the same steps to the same weights, bit for bit: weight decay %f',
    async (at, weightDecay) => {
      const decaying = { ...options, weightDecay };
      const whole = await train(many, decaying);
      let resumeFrom: TrainingSnapshot | undefined;
      const abort = new AbortController();
      const interrupted = train(many, {
        ...decaying,
        signal: abort.signal,
        async afterStep(step, snapshot) {
          if (step !== at) return;
          resumeFrom = await copySnapshot(snapshot);
          abort.abort(new Error('interrupted'));
        },
      });
      await expect(interrupted).rejects.toThrow('interrupted');
      expect(resumeFrom?.steps).toBe(at);
      const resumed = await train(many, { ...decaying, resumeFrom });
      expect(resumed.weights).toEqual(whole.weights);
      const lastTaken = whole.events.findIndex((event) => event.type === 'step' && event.step === at);
      expect(resumed.events).toEqual(whole.events.slice(lastTaken + 1));
    },
  );

  it('refuses one of more steps than there are', async () => {
    const tensors = new Map<string, DeferredTensor>();
    await expect(train(many, { ...options, resumeFrom: { steps: 99, tensors } })).rejects.toThrow(
      /the snapshot is of step 99, but this training has \d+: resume with the examples and options/,
    );
  });

  it('refuses one of other weights', async () => {
    const tensors = new Map([
      ['parameter/x', deferred({ shape: [1], dtype: 'float32', data: new Float32Array(1) })],
    ]);
    await expect(train(many, { ...options, resumeFrom: { steps: 1, tensors } })).rejects.toThrow(
      /the snapshot's parameter\/\S+ has shape/,
    );
  });
});

const deferred = ({ shape, dtype, data }: HostTensor): DeferredTensor => ({
  shape,
  dtype,
  read: () => Promise.resolve(data),
});

async function copySnapshot({ steps, tensors }: TrainingSnapshot): Promise<TrainingSnapshot> {
  const copied = new Map<string, DeferredTensor>();
  for (const [name, tensor] of tensors) {
    const { shape } = tensor;
    copied.set(name, deferred({ shape, dtype: 'float32', data: (await tensor.read()) as Float32Array }));
  }
  return { steps, tensors: copied };
}

const bytes = (data: HostTensor['data']) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Gradients from the compiled program, AdamW in float64, a learning rate that falls linearly, no clipping. */
async function trainInFloat64(batch: PreferencePair[], steps: number) {
  const weights = copyWeights(initial);
  const shape = batchShape(batch, config);
  const model = { architecture, config, weights };
  const split = splitTrained(weights, buffersOf(model));
  const program = pairProgram(model, shape, { loss: sigmoidLoss(OPTIONS.beta!) });
  const run = await compileBatch(program, split, { device, backward: true });
  const state = new Map(
    [...split.trained].map(([name, tensor]) => {
      const p = Float64Array.from(floats(tensor));
      return [name, { p, m: new Float64Array(p.length), v: new Float64Array(p.length) }];
    }),
  );
  const norms: number[] = [];
  let reference: Float32Array | undefined;
  for (let step = 1; step <= steps; step++) {
    const feeds = {
      ...Object.fromEntries([...state].map(([name, { p }]) => [name, Float32Array.from(p)])),
      ...collatePairs(batch, shape, model),
      labelCounts: labelCounts(batch),
      pairWeights: new Float32Array(batch.length).fill(1 / batch.length),
    };
    reference ??= (await run({ ...feeds, reference: new Float32Array(2 * batch.length) }))
      .logps as Float32Array;
    const results = await run({ ...feeds, reference });
    const rate = (OPTIONS.learningRate * (steps - step + 1)) / steps;
    let squares = 0;
    for (const [name, { p, m, v }] of state) {
      results[gradientOf(name)].forEach((g, i) => {
        squares += g * g;
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        p[i] -= (rate * m[i]) / (1 - 0.9 ** step) / (Math.sqrt(v[i] / (1 - 0.999 ** step)) + 1e-8);
      });
    }
    norms.push(Math.sqrt(squares));
  }
  await run.dispose();
  for (const [name, { p }] of state)
    weights.set(name, { shape: weights.get(name)!.shape, dtype: 'float32', data: Float32Array.from(p) });
  return { weights, norms };
}
