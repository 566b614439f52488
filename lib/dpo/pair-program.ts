/** Preference pairs through the policy: log-probabilities, and the loss of them, for one batch shape. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf, type InputSpec } from '../engine/index.js';
import type { Tensors } from '../policy/architecture.js';
import type { BatchProgram } from '../train/objective.js';
import { sizesOf, type BatchShape } from './batch.js';
import { labelledInputs, maskedLabelLogProbs, type Network } from './labelled-rows.js';
import { computeLoss, ofBoth, type PreferenceLoss, type PreferenceTensors } from './preference-loss.js';

/**
 * Sum of the log-probabilities of each row's labels: [B, 2], chosen and rejected.
 *
 * @param tensors weights, and the arrays of `collatePairs` for B pairs
 */
function pairLogProbs(network: Network, tensors: Tensors): Tensor {
  const sums = tf.sum(maskedLabelLogProbs(network, tensors), 1);
  return tf.reshape(sums, [sums.shape[0]! / 2, 2]);
}

/**
 * Sum of the pairs' losses.
 * @param weights [B], for a mean 1 over the number of pairs that it is over
 */
function weightedLoss(loss: PreferenceLoss, tensors: PreferenceTensors, weights: Tensor): Tensor {
  return tf.sum(tf.mul(computeLoss(loss, tensors).losses, weights));
}

/**
 * Negative log-likelihood of the chosen completions over a number of labels: the loss of supervised training on them (`sftLoss`).
 * @param policy log-probabilities [B, 2]
 * @param chosenLabels a scalar: labels of all chosen completions that the loss is a mean over
 */
function chosenNll(policy: Tensor, chosenLabels: Tensor): Tensor {
  return tf.neg(tf.div(tf.sum(ofBoth(policy).chosen), chosenLabels));
}

/** What the pairs of a program are trained by. */
interface PairProgramOptions {
  loss: PreferenceLoss;
  /** Whether pairs have `rewards`; default false. */
  rewards?: boolean;
}

/**
 * `logps` [B, 2] of `collatePairs` arrays; the loss of them and of `labelCounts` [B, 2], with `reference` [B, 2] and `rewards` [B, 2] where
 * there are any, is weighted by `pairWeights` [B]. Where the loss has an `sftWeight` the mean of `chosenNll` is over `chosenLabels` [].
 */
export function pairProgram(
  network: Network,
  shape: BatchShape,
  { loss, rewards = false }: PairProgramOptions,
): BatchProgram {
  const { pairs } = shape;
  const { sftWeight = 0 } = loss;
  const ofBothCompletions: InputSpec = { shape: [pairs, 2], dtype: 'float32' };
  return {
    ...labelledInputs(network, sizesOf(shape)),
    targets: {
      labelCounts: ofBothCompletions,
      ...(loss.needsReference ? { reference: ofBothCompletions } : {}),
      ...(rewards ? { rewards: ofBothCompletions } : {}),
      pairWeights: { shape: [pairs], dtype: 'float32' },
      ...(sftWeight === 0 ? {} : { chosenLabels: { shape: [], dtype: 'float32' } }),
    },
    forward: (tensors) => ({ logps: pairLogProbs(network, tensors) }),
    loss: ({ logps }, tensors) => pairLoss(loss, { ...tensors, logps }),
  };
}

/** What a step minimizes: a scalar of the arrays of `pairProgram`'s targets and of `logps` [B, 2]. */
export function pairLoss(
  loss: PreferenceLoss,
  { logps, reference, rewards, labelCounts, pairWeights, chosenLabels }: Tensors,
): Tensor {
  const { sftWeight = 0 } = loss;
  const mean = weightedLoss(loss, { policy: logps, reference, rewards, labels: labelCounts }, pairWeights);
  if (sftWeight === 0) return mean;
  return tf.add(mean, tf.mul(chosenNll(logps, chosenLabels), sftWeight));
}
