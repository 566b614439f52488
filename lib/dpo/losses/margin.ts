/** Losses of a pair's margin m: how far the implicit reward of the chosen completion is above that of the rejected one. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { exactScalar, tf } from '../../engine/index.js';
import {
  checkFactor,
  lossOfRewards,
  type NamedOfRatios,
  type PreferenceInputs,
  type PreferenceLoss,
} from '../preference-loss.js';

/** -log sigmoid(x), without overflow for large |x|. */
export const negativeLogSigmoid = (x: Tensor): Tensor => tf.softplus(tf.neg(x));

/**
 * A share of pairs that are taken to be the wrong way round. From 0.5 on, the formulas learn to prefer the rejected ones, or have no value.
 *
 * @throws Error in one sentence for another number
 */
export function checkSmoothing(loss: string, labelSmoothing: number): void {
  if (!(labelSmoothing >= 0 && labelSmoothing < 0.5))
    throw new Error(
      `labelSmoothing of the loss ${loss} is ${labelSmoothing}: a share of pairs from 0 to below 0.5 is expected`,
    );
}

/**
 * Rafailov et al. 2023, eq. 7 (TRL loss_type "sigmoid"): -log sigmoid(m).
 *
 * @param beta how far the policy may leave the reference
 * @param labelSmoothing share of pairs, below 0.5, that are taken to be the wrong way round (conservative DPO, Mitchell 2023; TRL up to 0.29);
 *   default 0
 */
export function sigmoidLoss(beta: number, labelSmoothing = 0): PreferenceLoss {
  checkSmoothing('sigmoid', labelSmoothing);
  return lossOfMargins({ name: 'sigmoid', unit: 'nats' }, beta, (margins) =>
    smoothedSigmoid(margins, labelSmoothing),
  );
}

/** -(1 - e) log sigmoid(m) - e log sigmoid(-m), where e is `labelSmoothing`. */
export function smoothedSigmoid(margins: Tensor, labelSmoothing: number): Tensor {
  const losses = negativeLogSigmoid(margins);
  if (labelSmoothing === 0) return losses;
  return tf.add(
    tf.mul(losses, exactScalar(1 - labelSmoothing)),
    tf.mul(tf.softplus(margins), exactScalar(labelSmoothing)),
  );
}

/**
 * Robust DPO (Chowdhury et al. 2024, arXiv:2403.00409; TRL "robust"): unbiased where a share of pairs is the wrong way round,
 * ((1 - e) softplus(-m) - e softplus(m)) / (1 - 2 e).
 *
 * @param labelSmoothing that share e, below 0.5
 */
export function robustLoss(beta: number, labelSmoothing: number): PreferenceLoss {
  checkSmoothing('robust', labelSmoothing);
  return lossOfMargins({ name: 'robust', unit: 'nats' }, beta, (margins) => {
    const clean = tf.mul(negativeLogSigmoid(margins), exactScalar(1 - labelSmoothing));
    const flipped = tf.mul(tf.softplus(margins), exactScalar(labelSmoothing));
    return tf.div(tf.sub(clean, flipped), exactScalar(1 - 2 * labelSmoothing));
  });
}

/** SLiC's hinge (Zhao et al. 2023, arXiv:2305.10425; TRL "hinge"): max(0, 1 - m). */
export function hingeLoss(beta: number): PreferenceLoss {
  return lossOfMargins({ name: 'hinge' }, beta, (margins) => tf.relu(tf.sub(1, margins)));
}

/** TRL's default for `exo_pair`, whose formula has no value at 0. */
const LEAST_SMOOTHING = 1e-3;

/**
 * EXO for pairs (Ji et al. 2024, arXiv:2402.00856, eq. 16; TRL "exo_pair"): the divergence KL(p || q) of the policy's preference
 * p = (sigmoid(m), sigmoid(-m)) from q = (1 - e, e).
 *
 * @param labelSmoothing e; TRL's default, 0.001, takes the place of 0
 */
export function exoPairLoss(beta: number, labelSmoothing = 0): PreferenceLoss {
  checkSmoothing('exo_pair', labelSmoothing);
  const smoothing = labelSmoothing || LEAST_SMOOTHING;
  const divergence = (margins: Tensor, share: number) =>
    tf.mul(tf.sigmoid(margins), tf.neg(tf.add(negativeLogSigmoid(margins), exactScalar(Math.log(share)))));
  return lossOfMargins({ name: 'exo_pair', unit: 'nats' }, beta, (margins) =>
    tf.add(divergence(margins, 1 - smoothing), divergence(tf.neg(margins), smoothing)),
  );
}

/**
 * Reward-aware preference optimization (Nvidia 2024, arXiv:2406.11704, section 3.3.2; NeMo's `rpo_bwd_kl`): the divergence KL(q || p) of the
 * policy's preference p = (sigmoid(m), sigmoid(-m)) from q, the same of the real difference of rewards. Pairs that hardly differ pull less.
 *
 * @param rewardScale what the difference of rewards is multiplied by; NeMo's `gt_reward_scale`
 * @throws Error in one sentence where that is not above 0
 */
export function rewardGapLoss(beta: number, rewardScale: number): PreferenceLoss {
  checkFactor('rewardScale', rewardScale, 1);
  const divergence = (gap: Tensor, margins: Tensor) =>
    tf.mul(tf.sigmoid(gap), tf.sub(negativeLogSigmoid(margins), negativeLogSigmoid(gap)));
  return lossOfMargins({ name: 'rpo_bwd_kl', unit: 'nats' }, beta, (margins, { rewards }) => {
    const gap = tf.mul(tf.sub(rewards.chosen, rewards.rejected), exactScalar(rewardScale));
    return tf.add(divergence(gap, margins), divergence(tf.neg(gap), tf.neg(margins)));
  });
}

/** @param compute losses [B] of margins [B] */
function lossOfMargins(
  named: NamedOfRatios,
  beta: number,
  compute: (margins: Tensor, inputs: PreferenceInputs) => Tensor,
): PreferenceLoss {
  return lossOfRewards(named, beta, ({ chosenRewards, rejectedRewards }, inputs) =>
    compute(tf.sub(chosenRewards, rejectedRewards), inputs),
  );
}
