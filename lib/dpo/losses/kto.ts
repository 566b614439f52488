/** KTO: samples that are desirable or not, each on its own. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { exactScalar, tf } from '../../engine/index.js';
import { meanIfAny, meanOf } from '../../mean.js';
import type { DpoMetrics } from '../logged-metrics.js';
import {
  checkBeta,
  checkFactor,
  implicitRewards,
  ofAllPairs,
  type PreferenceLoss,
} from '../preference-loss.js';

export interface KtoOptions {
  beta: number;
  /** How much desirable and undesirable samples count; default 1. The paper keeps their sums over the data between 1 : 1 and 4 : 3. */
  desirableWeight?: number;
  undesirableWeight?: number;
}

/**
 * KTO (Ethayarajh et al. 2024, arXiv:2402.01306, eq. 7; TRL's KTOTrainer): 1 - sigmoid(r - z) of a desirable sample's implicit reward r,
 * 1 - sigmoid(z - r) of an undesirable one's. z is beta times how far the policy is from the reference, at least 0, a mean over the batch of
 * log (policy / reference) of completions of other prompts; no gradient goes through it.
 *
 * Its pairs are those of `withMismatched`: "chosen" is the sample, "rejected" the completion of another prompt, and `rewards.chosen` is 1 of a
 * desirable sample, 0 of another.
 *
 * @throws Error in one sentence for a beta or a weight that is not above 0
 */
export function ktoLoss({ beta, desirableWeight = 1, undesirableWeight = 1 }: KtoOptions): PreferenceLoss {
  checkBeta(beta);
  checkFactor('desirableWeight', desirableWeight, 1);
  checkFactor('undesirableWeight', undesirableWeight, 1);
  return {
    name: 'kto',
    rewardKind: 'ratio',
    needsReference: true,
    isUnpaired: true,
    compute(inputs) {
      const { chosenRewards, rejectedRewards } = implicitRewards(inputs, beta);
      const desirable = inputs.rewards.chosen;
      const undesirable = tf.sub(1, desirable);
      const z = tf.relu(tf.mean(withoutGradient(rejectedRewards)));
      // r - z of a desirable sample, z - r of another.
      const above = tf.mul(tf.sub(chosenRewards, z), tf.sub(desirable, undesirable));
      const weights = tf.add(
        tf.mul(desirable, exactScalar(desirableWeight)),
        tf.mul(undesirable, exactScalar(undesirableWeight)),
      );
      return { losses: tf.mul(weights, tf.sub(1, tf.sigmoid(above))), chosenRewards, rejectedRewards };
    },
    metrics({ losses, chosenRewards, rejectedRewards }, batches): DpoMetrics {
      const isDesirable = ofAllPairs(batches, 'rewards').chosen;
      const logps = ofAllPairs(batches, 'policy').chosen;
      const ofKind = (numbers: readonly number[], kind: number) =>
        meanIfAny(numbers.filter((_, i) => isDesirable[i] === kind));
      const [chosen, rejected] = [ofKind(chosenRewards, 1), ofKind(chosenRewards, 0)];
      let start = 0;
      const divergences = batches.map(({ policy }) => {
        const ofBatch = rejectedRewards.slice(start, (start += policy.length / 2));
        return Math.max(0, meanOf(ofBatch) / beta);
      });
      const metrics = {
        loss: meanOf(losses),
        'rewards/chosen': chosen,
        'rewards/rejected': rejected,
        'rewards/margins': chosen === undefined || rejected === undefined ? undefined : chosen - rejected,
        'logps/chosen': ofKind(logps, 1),
        'logps/rejected': ofKind(logps, 0),
        kl: meanOf(divergences),
      };
      return Object.fromEntries(
        Object.entries(metrics).filter(([, value]) => value !== undefined),
      ) as unknown as DpoMetrics;
    },
  };
}

/** Its value, as a number that depends on nothing. */
function withoutGradient(x: Tensor): Tensor {
  const operator = tf.customGrad((...args) => ({
    value: tf.clone(args[0] as Tensor),
    gradFunc: (dy: Tensor) => tf.zerosLike(dy),
  }));
  return operator(x);
}
