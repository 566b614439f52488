import fc from 'fast-check';
import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { metricsOfLoss } from '../../lib/dpo/metrics.js';
import { pairLoss } from '../../lib/dpo/pair-program.js';
import { sigmoidLoss } from '../../lib/dpo/losses/margin.js';
import { sftLoss } from '../../lib/dpo/losses/mixed.js';
import { compile, tf } from '../../lib/engine/index.js';
import { device } from '../support/device.js';

beforeAll(() => tf.setBackend('cpu'));

/** Labels that the sigmoid loss does not look at. */
const metricsOf = (policy: number[], reference: number[], beta: number) =>
  metricsOfLoss(sigmoidLoss(beta))([{ policy, reference, labels: policy }]);

describe('metricsOfLoss', () => {
  it("computes TRL's metrics", () => {
    // Rewards: 1 and -0.5; 0.25 and 0.5.
    const policy = [-10, -20, -30, -39];
    const reference = [-12, -19, -30.5, -40];
    const margins = [1.5, -0.25];
    const { loss, ...rest } = metricsOf(policy, reference, 0.5);
    expect(loss).toBeCloseTo(
      (Math.log(1 + Math.exp(-margins[0])) + Math.log(1 + Math.exp(-margins[1]))) / 2,
      14,
    );
    expect(rest).toEqual({
      'rewards/chosen': 0.625,
      'rewards/rejected': 0,
      'rewards/margins': 0.625,
      'rewards/accuracies': 0.5,
      'logps/chosen': -20,
      'logps/rejected': -29.5,
    });
  });

  it('counts equal rewards as wrong: an untrained policy has accuracy 0 and loss ln 2', () => {
    expect(metricsOf([-5, -7], [-5, -7], 0.1)).toMatchObject({
      'rewards/accuracies': 0,
      loss: Math.LN2,
    });
  });

  it('stays finite for huge margins', () => {
    expect(metricsOf([0, -1e6], [0, 0], 1).loss).toBe(0);
    expect(metricsOf([-1e6, 0], [0, 0], 1).loss).toBe(1e6);
  });
});

describe('sigmoidLoss', () => {
  const logps = fc.array(fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: -4000, max: 0 }))), {
    minLength: 1,
    maxLength: 5,
  });

  it('is the mean of the losses that the metrics tell', () => {
    fc.assert(
      fc.property(logps, fc.double({ min: 0.01, max: 1, noNaN: true }), (rows, beta) => {
        const policy = rows.flatMap(([chosen, rejected]) => [chosen / 8, rejected / 8]);
        const reference = rows.flatMap(([, , chosen, rejected]) => [chosen / 8, rejected / 8]);
        const count = rows.length;
        const tensors = {
          logps: tf.tensor2d(policy, [count, 2]),
          reference: tf.tensor2d(reference, [count, 2]),
          labelCounts: tf.ones([count, 2]),
          pairWeights: tf.fill([count], 1 / count),
        };
        const loss = pairLoss(sigmoidLoss(beta), tensors).dataSync()[0];
        const expected = metricsOf(policy, reference, beta).loss;
        expect(Math.abs(loss - expected)).toBeLessThan(1e-5 * Math.max(1, expected));
      }),
    );
  });

  it.each(['onnx', 'eager'] as const)(
    'and its gradient stay finite for huge margins (%s)',
    async (engine) => {
      const beta = 0.5;
      const run = await compile(
        ({ policy }) => {
          const reference = tf.zeros([4, 2]);
          const given = { reference, labelCounts: reference, pairWeights: tf.ones([4]) };
          const loss = (logps: Tensor) => pairLoss(sigmoidLoss(beta), { ...given, logps });
          const { value, grad } = tf.valueAndGrad(loss)(policy);
          return { loss: value, gradient: grad };
        },
        { policy: { shape: [4, 2], dtype: 'float32' } },
        { device: engine === 'onnx' ? device : engine },
      );
      const { loss, gradient } = await run({ policy: Float32Array.of(1e4, -1e4, -1e4, 1e4, 0, 0, 300, 0) });
      // Losses 0, 10^4, ln 2 and 0; the derivative by the chosen is -beta * sigmoid(-margin).
      expect(loss[0]).toBeCloseTo(1e4 + Math.LN2, 2);
      const expected = [0, 0, -beta, beta, -beta / 2, beta / 2, 0, 0];
      expected.forEach((value, i) => expect(gradient[i]).toBeCloseTo(value, 6));
      await run.dispose();
    },
  );
});

describe('sftLoss', () => {
  it('is the negative log-likelihood of the chosen completions, over the labels of the whole step', () => {
    // Other batches of the step have the other labels.
    const logps = tf.tensor2d([-6, -50, -2, -60], [2, 2]);
    const tensors = {
      logps,
      labelCounts: tf.ones([2, 2]),
      pairWeights: tf.ones([2]),
      chosenLabels: tf.scalar(10),
    };
    expect(pairLoss(sftLoss(0.1), tensors).dataSync()[0]).toBeCloseTo(8 / 10, 6);
  });
});
