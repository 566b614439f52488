/** A loss of one's own, by what the package exports alone: exponential-loss.ts is all there is to write. */
import { expect, it, vi } from 'vitest';
import {
  mixedLoss,
  sftLoss,
  sigmoidLoss,
  tf,
  trainDpo,
  type DpoMetrics,
  type PreferenceLoss,
  type PreferencePair,
} from '../../lib/index.js';
import { device } from '../support/device.js';
import { copyWeights, randomPolicy } from '../support/random-policy.js';
import { exponentialLoss } from './exponential-loss.js';
import { OPTIONS, randomPairs } from './random-pairs.js';

const BETA = 0.5;
const policy = randomPolicy(8, { initStd: 0.2 });
const pairs = randomPairs(policy.config, 4);
const { beta: _, ...options } = { ...OPTIONS, batchSize: 4, shuffle: false, maxGradNorm: 1e9 };

async function train(loss: PreferenceLoss, epochs: number, on: readonly PreferencePair[] = pairs) {
  const weights = copyWeights(policy.weights);
  const steps: { metrics: DpoMetrics; logps: Float32Array }[] = [];
  for await (const event of trainDpo({ ...policy, weights }, on, { ...options, epochs, loss }))
    if (event.type === 'step') steps.push(event);
  return steps;
}

it('is trained on, and its metrics are means of what it says', async () => {
  const steps = await train(exponentialLoss(BETA), 12);
  // Before the first step the policy is the reference.
  const reference = steps[0].logps;
  for (const { metrics, logps } of steps) {
    const rewards = [...logps].map((value, i) => BETA * (value - reference[i]));
    const margins = pairs.map((__, i) => rewards[2 * i] - rewards[2 * i + 1]);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / values.length;
    expect(metrics.loss).toBeCloseTo(mean(margins.map((margin) => Math.exp(-margin))), 5);
    expect(metrics['rewards/margins']).toBeCloseTo(mean(margins), 5);
  }
  expect(steps[0].metrics.loss).toBeCloseTo(1, 5);
  expect(steps.at(-1)!.metrics.loss).toBeLessThan(0.8);
  expect(steps.at(-1)!.metrics['rewards/accuracies']).toBe(1);
});

it('pulls twice as hard as the sigmoid where all margins are 0: its slope is 1 there, the sigmoid’s 1/2', async () => {
  const [exponential] = await train(exponentialLoss(BETA), 1);
  const [sigmoid] = await train(sigmoidLoss(BETA), 1);
  expect(exponential.metrics.grad_norm! / sigmoid.metrics.grad_norm!).toBeCloseTo(2, 4);
});

/**
 * SimPO (Meng et al. 2024, arXiv:2405.14734): log-probabilities per label, without a reference. Its margin is the difference of the
 * rewards, as in ODPO (Amini et al. 2024, arXiv:2402.10571).
 */
const perLabel: PreferenceLoss = {
  name: 'per label',
  needsReference: false,
  compute({ policy: { chosen, rejected }, labels, rewards }) {
    const chosenRewards = tf.mul(2, tf.div(chosen, labels.chosen));
    const rejectedRewards = tf.mul(2, tf.div(rejected, labels.rejected));
    const margin = tf.sub(rewards.chosen, rewards.rejected);
    const losses = tf.softplus(tf.sub(tf.add(rejectedRewards, margin), chosenRewards));
    return { losses, chosenRewards, rejectedRewards };
  },
};

it('may read numbers of labels and rewards, and computes no reference that it does not need', async () => {
  const rewarded = pairs.map((pair, i) => ({ ...pair, rewards: { chosen: i, rejected: i / 2 } }));
  const compiled = vi.spyOn(device, 'compile');
  const steps = await train(perLabel, 12, rewarded);
  // The loss with its gradients; no forward pass.
  expect(compiled).toHaveBeenCalledTimes(1);
  compiled.mockRestore();
  for (const { metrics, logps } of [steps[0], steps.at(-1)!]) {
    const losses = rewarded.map(({ chosen, rejected, rewards }, i) => {
      const apart = (2 * logps[2 * i]) / chosen.length - (2 * logps[2 * i + 1]) / rejected.length;
      return Math.log1p(Math.exp(rewards.chosen - rewards.rejected - apart));
    });
    expect(metrics.loss).toBeCloseTo(losses.reduce((sum, loss) => sum + loss) / losses.length, 10);
  }
  expect(steps.at(-1)!.metrics.loss).toBeLessThan(0.8 * steps[0].metrics.loss);
  await expect(train(perLabel, 1)).rejects.toThrow(
    'the loss "per label" reads rewards: every pair must have them',
  );
});

it('keeps metrics of its own where it is mixed, and what is mixed with it counts in the loss', async () => {
  const own: PreferenceLoss = {
    ...exponentialLoss(BETA),
    metrics: ({ losses, chosenRewards }) => ({
      loss: losses.reduce((sum, loss) => sum + loss) / losses.length,
      'rewards/chosen': Math.max(...chosenRewards),
    }),
  };
  const plain = await train(
    mixedLoss([
      [exponentialLoss(BETA), 2],
      [sigmoidLoss(BETA), 1],
      [sftLoss(BETA), 0.5],
    ]),
    2,
  );
  const mixed = await train(
    mixedLoss([
      [own, 2],
      [sigmoidLoss(BETA), 1],
      [sftLoss(BETA), 0.5],
    ]),
    2,
  );
  for (const [step, { metrics, logps }] of mixed.entries()) {
    const usual = plain[step].metrics;
    expect(metrics.loss).toBeCloseTo(usual.loss, 12);
    expect(metrics.nll_loss).toBe(usual.nll_loss);
    const rewards = pairs.map((_, i) => BETA * (logps[2 * i] - mixed[0].logps[2 * i]));
    expect(metrics['rewards/chosen']).toBeCloseTo(Math.max(...rewards), 5);
    expect(metrics).not.toHaveProperty(['rewards/rejected']);
  }
});

it('may be called as a built-in one is: what it computes is kept where it is mixed', async () => {
  const mixed = (name: string) =>
    train(
      mixedLoss([
        [{ ...exponentialLoss(BETA), name }, 2],
        [sigmoidLoss(BETA), 1],
      ]),
      2,
    );
  expect(await mixed('sft')).toEqual(await mixed('exponential'));
});

it('none at all is no mixture, nor is a weight that teaches nothing or the opposite', () => {
  for (const weight of [0, -1, NaN, Infinity])
    expect(() => mixedLoss([[exponentialLoss(BETA), weight]])).toThrow(
      `the weight of the loss exponential is ${weight}: a number above 0 is expected, as 0.5`,
    );
  expect(() => mixedLoss([])).toThrow(
    new Error('there is no loss to mix: give at least one as [loss, weight], as [sigmoidLoss(0.1), 1]'),
  );
});

it('is told what it does wrong, in a sentence', async () => {
  const scalar: PreferenceLoss = {
    ...exponentialLoss(BETA),
    name: 'mine',
    compute(inputs) {
      const outputs = exponentialLoss(BETA).compute(inputs);
      return { ...outputs, losses: tf.mean(outputs.losses) };
    },
  };
  await expect(train(scalar, 1)).rejects.toThrow('the loss "mine" must give losses of shape [4], not []');
  const column: PreferenceLoss = {
    ...scalar,
    compute(inputs) {
      const outputs = exponentialLoss(BETA).compute(inputs);
      return { ...outputs, losses: tf.reshape(outputs.losses, [-1, 1]) };
    },
  };
  await expect(train(column, 1)).rejects.toThrow('must give losses of shape [4], not [4, 1]');
  // As a program in JavaScript may give it.
  const giving = (outputs: unknown) => ({ ...scalar, compute: () => outputs }) as PreferenceLoss;
  for (const outputs of [undefined, {}, { losses: [1, 2, 3, 4] }, Promise.resolve({})])
    await expect(train(giving(outputs), 1)).rejects.toThrow(
      'the loss "mine" must give losses, a tensor of shape [4]',
    );
  await expect(train('ipo' as unknown as PreferenceLoss, 1)).rejects.toThrow(
    'the loss that is given is none: it must be an object { name, needsReference, compute }, as ipoLoss(1) makes one',
  );
  const forgetful = { ...exponentialLoss(BETA), name: 'mine', needsReference: false };
  await expect(train(forgetful, 1)).rejects.toThrow(
    'the loss "mine" reads the reference: it must say needsReference: true',
  );
});
