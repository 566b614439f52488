import { describe, expect, it, vi } from 'vitest';
import { ktoLoss } from '../../lib/dpo/losses/kto.js';
import { simpoLoss } from '../../lib/dpo/losses/length-normalized.js';
import { trainDpo, type DpoOptions, type Example, type TrainingSnapshot } from '../../lib/dpo/trainer.js';
import { unpair, withMismatched } from '../../lib/dpo/unpaired.js';
import { completionLogProbs } from '../../lib/dpo/completion-log-probs.js';
import type { DeferredTensor } from '../../lib/engine/host-tensor.js';
import { device } from '../support/device.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { OPTIONS, randomPairs } from './random-pairs.js';

const policy = randomPolicy(8, { initStd: 0.2 });
const pairs = randomPairs(policy.config, 4);
const BETA = 0.5;
const base: DpoOptions = { ...OPTIONS, beta: BETA, batchSize: 2, shuffle: false, maxGradNorm: 1, epochs: 3 };

async function train(options: Partial<DpoOptions> = {}, examples: readonly Example[] = pairs) {
  const weights = copyWeights(policy.weights);
  const steps = [];
  const snapshots: TrainingSnapshot[] = [];
  const keep = async (_: number, { steps: taken, tensors }: TrainingSnapshot) => {
    const read = await Promise.all(
      [...tensors].map(async ([name, tensor]): Promise<[string, DeferredTensor]> => {
        const data = (await tensor.read()).slice();
        return [name, { ...tensor, read: async () => data }];
      }),
    );
    snapshots.push({ steps: taken, tensors: new Map(read) });
  };
  for await (const event of trainDpo({ ...policy, weights }, examples, {
    ...base,
    afterStep: keep,
    ...options,
  }))
    if (event.type === 'step') steps.push(event);
  return { weights, steps, snapshots };
}

/** Mean margin of a step's pairs, by plain numbers. */
const marginOf = (logps: ArrayLike<number>, reference: ArrayLike<number>) => {
  const margins = [0, 1].map(
    (i) => BETA * (logps[2 * i] - reference[2 * i] - (logps[2 * i + 1] - reference[2 * i + 1])),
  );
  return (margins[0] + margins[1]) / 2;
};

describe('the reference', () => {
  it('none counts as log-probabilities of 0', async () => {
    const { steps } = await train({ reference: 'none' });
    for (const { metrics, logps } of steps)
      expect(metrics['rewards/margins']).toBeCloseTo(marginOf(logps, [0, 0, 0, 0]), 4);
  });

  it('may be another policy', async () => {
    const other = randomPolicy(9, { initStd: 0.2 });
    const { steps } = await train({ reference: other });
    const items = pairs
      .slice(0, 2)
      .flatMap(({ prompt, chosen, rejected }) =>
        [chosen, rejected].map((completion) => ({ prompt, completion })),
      );
    const reference = (await completionLogProbs(other, items, { device })).map(({ sum }) => sum);
    expect(steps[0].metrics['rewards/margins']).toBeCloseTo(marginOf(steps[0].logps, reference), 4);
    expect(Math.abs(steps[0].metrics['rewards/margins']!)).toBeGreaterThan(0.01);
  });

  it('that is another policy is not measured once the training is stopped', async () => {
    const compile = vi.spyOn(device, 'compile');
    const signal = AbortSignal.abort(new Error('stop'));
    const other = { ...policy, weights: copyWeights(policy.weights) };
    await expect(train({ reference: other, signal })).rejects.toThrow('stop');
    expect(compile).not.toHaveBeenCalled();
    compile.mockRestore();
  });

  it('is the policy itself where it is given as another one', async () => {
    const itself = await train({ reference: { ...policy, weights: copyWeights(policy.weights) } });
    const { steps } = await train();
    itself.steps.forEach(({ metrics }, i) => expect(metrics.loss).toBeCloseTo(steps[i].metrics.loss, 5));
  });

  it('that moves is the policy of the last update where all of it is taken', async () => {
    const { steps } = await train({ reference: { everySteps: 2, mixup: 1 } });
    const still = await train();
    expect(steps.slice(0, 2).map(({ metrics }) => metrics)).toEqual(
      still.steps.slice(0, 2).map(({ metrics }) => metrics),
    );
    // After two steps the policy is its own reference: there is no margin, and the loss is ln 2 again.
    for (const step of [2, 4]) {
      expect(steps[step].metrics['rewards/margins']).toBeCloseTo(0, 4);
      expect(steps[step].metrics.loss).toBeCloseTo(Math.LN2, 4);
      expect(Math.abs(still.steps[step].metrics['rewards/margins']!)).toBeGreaterThan(1e-3);
    }
  });

  it('that moves by a share is the mean of the weights', async () => {
    const { steps, snapshots } = await train({ reference: { everySteps: 2, mixup: 0.25 } });
    const name = [...policy.weights.keys()].find((each) => each.endsWith('fc1.weight'))!;
    let before: ArrayLike<number | bigint> = policy.weights.get(name)!.data;
    // The second update goes on from the first one's reference.
    for (const { tensors } of [snapshots[1], snapshots[3]]) {
      const trained = await tensors.get(`parameter/${name}`)!.read();
      const reference = await tensors.get(`objective/${name}`)!.read();
      reference.forEach((value, i) =>
        expect(Number(value)).toBeCloseTo(0.25 * Number(trained[i]) + 0.75 * Number(before[i]), 7),
      );
      before = reference;
    }
    expect(steps[2].metrics['rewards/margins']).not.toBeCloseTo(0, 4);
  });

  it('that moves goes on where a training is resumed, to the bit', async () => {
    const options = { reference: { everySteps: 2, mixup: 0.25 }, epochs: 3 };
    const whole = await train(options);
    for (const taken of [2, 3]) {
      const resumed = await train({ ...options, resumeFrom: whole.snapshots[taken - 1] });
      expect(resumed.steps.map(({ metrics }) => metrics)).toEqual(
        whole.steps.slice(taken).map(({ metrics }) => metrics),
      );
      for (const [name, { data }] of whole.weights) expect(resumed.weights.get(name)!.data).toEqual(data);
    }
  });
});

it.each([
  'strat',
  null,
  {},
  { everySteps: 0, mixup: 0.6 },
  { everySteps: 1.5, mixup: 0.6 },
  { everySteps: 1, mixup: 0 },
  { everySteps: 1, mixup: 5 },
  { everySteps: 1, mixup: NaN },
])(
  'the reference is not %j, which would be no other than "start" or give wrong numbers',
  async (reference) => {
    await expect(train({ reference: reference as DpoOptions['reference'] })).rejects.toThrow(
      /^wrong training options: reference(\.everySteps|\.mixup)?: /,
    );
  },
);

describe('single samples', () => {
  const kto = { beta: undefined, loss: ktoLoss({ beta: BETA }) };

  it('are learned by kto: desirable ones become likelier, others less likely', async () => {
    const { steps } = await train({ ...kto, epochs: 15, learningRate: 1e-3 });
    const [first, last] = [steps.at(-2)!.metrics, steps.at(-1)!.metrics];
    expect(steps[0].metrics).toMatchObject({ loss: 0.5, kl: 0 });
    for (const metrics of [first, last]) {
      expect(metrics.loss).toBeLessThan(0.4);
      expect(metrics['rewards/chosen']).toBeGreaterThan(0);
      expect(metrics['rewards/rejected']).toBeLessThan(0);
    }
  });

  it('alone are what both sides of pairs are', async () => {
    const fromPairs = await train(kto);
    const fromSamples = await train({ ...kto, batchSize: 4 }, unpair(pairs));
    expect(fromSamples.steps.map(({ metrics }) => metrics)).toEqual(
      fromPairs.steps.map(({ metrics }) => metrics),
    );
  });

  it('are compared with the completions of the next prompt in turn, round and round', () => {
    const sampleOf = ([prompt, completion]: number[]) => ({
      prompt: [prompt],
      completion: [completion],
      desirable: completion % 2 === 0,
    });
    const samples = [
      [1, 10],
      [1, 11],
      [2, 12],
      [1, 13],
      [2, 15],
    ].map(sampleOf);
    expect(withMismatched(samples)).toEqual([
      { prompt: [1], chosen: [10], rejected: [12], rewards: { chosen: 1, rejected: 0 } },
      { prompt: [1], chosen: [11], rejected: [15], rewards: { chosen: 0, rejected: 0 } },
      { prompt: [2], chosen: [12], rejected: [10], rewards: { chosen: 1, rejected: 0 } },
      { prompt: [1], chosen: [13], rejected: [12], rewards: { chosen: 0, rejected: 0 } },
      { prompt: [2], chosen: [15], rejected: [11], rewards: { chosen: 0, rejected: 0 } },
    ]);
  });

  it('of several pairs of each prompt are compared with every completion once', () => {
    const several = [1, 2, 3].flatMap((prompt) =>
      [10, 20].map((id) => ({ prompt: [prompt], chosen: [id + prompt], rejected: [id + 5 + prompt] })),
    );
    const samples = unpair(several);
    const compared = withMismatched(samples).map(({ rejected }) => rejected[0]);
    expect(compared.toSorted()).toEqual(samples.map(({ completion }) => completion[0]).toSorted());
  });

  it('of one prompt, without a judgement, of text, or for a loss of pairs, are refused in a sentence', async () => {
    await expect(train(kto, pairs.slice(0, 1))).rejects.toThrow('all samples are of one prompt');
    const labelled = unpair(pairs).map(({ prompt, completion }) => ({ prompt, completion, label: true }));
    await expect(train(kto, labelled as unknown as Example[])).rejects.toThrow(
      'sample 0 must say desirable: true or false, which TRL calls its label',
    );
    const texts = unpair(pairs).map((sample, i) => ({
      ...sample,
      prompt: `prompt ${i}` as unknown as number[],
    }));
    await expect(train(kto, texts)).rejects.toThrow('prompt must be a list of token ids');
    await expect(train({ ...kto, rpoAlpha: 0.1 })).rejects.toThrow('is mixed with no other');
    const simpo = { beta: undefined, loss: simpoLoss(2, 0.5) };
    await expect(train(simpo, unpair(pairs))).rejects.toThrow(
      'the loss "simpo" compares two completions of a prompt, and example 0 is a single sample; the loss kto takes those',
    );
  });
});
