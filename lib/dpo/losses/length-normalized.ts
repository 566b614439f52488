/** Length-normalized losses: of log-probabilities per label (token of a completion), so that a completion's length does not count. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { exactScalar, tf } from '../../engine/index.js';
import {
  checkBeta,
  lossOfRewards,
  type OfBoth,
  type PreferenceInputs,
  type PreferenceLoss,
} from '../preference-loss.js';
import { negativeLogSigmoid } from './margin.js';

/**
 * IPO (Azar et al. 2023, arXiv:2310.12036, eq. 17; TRL "ipo"): (d - 1 / (2 beta))², where d is the difference between chosen and rejected in
 * log (policy / reference) per label, as the authors told TRL to take it.
 */
export function ipoLoss(beta: number): PreferenceLoss {
  return lossOfRewards({ name: 'ipo' }, beta, (_, inputs) =>
    tf.square(tf.sub(differencePerLabel(inputs), exactScalar(1 / (2 * beta)))),
  );
}

/** DPO per label (TRL "sigmoid_norm"): -log sigmoid(beta d), with IPO's d. */
export function sigmoidNormLoss(beta: number): PreferenceLoss {
  return lossOfRewards({ name: 'sigmoid_norm', unit: 'nats' }, beta, (_, inputs) =>
    negativeLogSigmoid(tf.mul(differencePerLabel(inputs), exactScalar(beta))),
  );
}

/**
 * SimPO (Meng et al. 2024, arXiv:2405.14734, eq. 6; TRL's CPOTrainer "simpo"): -log sigmoid(chosen - rejected - gamma) of the implicit
 * rewards beta * log policy per label. It needs no reference.
 *
 * @param beta 2 to 10 in the paper, much more than for DPO
 * @param gamma the margin that chosen completions should have; TRL's default is 0.5
 */
export function simpoLoss(beta: number, gamma: number): PreferenceLoss {
  checkBeta(beta);
  return {
    name: 'simpo',
    unit: 'nats',
    rewardKind: 'mean likelihood',
    needsReference: false,
    compute({ policy, labels }) {
      const [chosenRewards, rejectedRewards] = (['chosen', 'rejected'] as const).map((side) =>
        tf.mul(tf.div(policy[side], labels[side]), exactScalar(beta)),
      );
      const margins = tf.sub(tf.sub(chosenRewards, rejectedRewards), exactScalar(gamma));
      return { losses: negativeLogSigmoid(margins), chosenRewards, rejectedRewards };
    },
  };
}

/** Chosen less rejected log (policy / reference) per label: [B]. */
function differencePerLabel({ policy, reference, labels }: PreferenceInputs): Tensor {
  const perLabel = (side: keyof OfBoth) => tf.div(tf.sub(policy[side], reference[side]), labels[side]);
  return tf.sub(perLabel('chosen'), perLabel('rejected'));
}
