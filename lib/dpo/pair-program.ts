/** Preference pairs through the policy: log-probabilities, and the loss of them, for one batch shape. */
import type { Tensor } from '@tensorflow/tfjs';
import type { BartConfig } from '../checkpoint/bart-config.js';
import { tf, type InputSpec } from '../engine/index.js';
import { causalMask, decode, encode, logits, type Weights } from '../policy/bart.js';
import { labelLogProbs } from '../policy/log-probs.js';
import type { BatchProgram } from '../train/objective.js';
import type { BatchShape } from './batch.js';
import { computeLoss, ofBoth, type PreferenceLoss, type PreferenceTensors } from './preference-loss.js';

/** Inputs of one batch of B pairs; rows are in the order chosen 0, rejected 0, chosen 1, ... (R = 2B). */
export interface PairTensors {
  /** [B, S] int32 */
  promptIds: Tensor;
  /** [B, S] additive */
  promptMask: Tensor;
  /** [R, T] int32 */
  decoderIds: Tensor;
  /** [R * T] int32, any id where masked */
  labels: Tensor;
  /** [R, T]: 1 where a label counts */
  labelMask: Tensor;
  /** [T, T] */
  causalMask: Tensor;
}

/**
 * Sum of the log-probabilities of each row's labels: [B, 2], chosen and rejected.
 * The encoder runs once a pair; TRL runs it twice with the same result.
 */
function pairLogProbs(config: BartConfig, w: Weights, batch: PairTensors): Tensor {
  const [rows, length] = batch.decoderIds.shape;
  const encoded = encode(config, w, batch.promptIds, batch.promptMask);
  const hidden = decode(config, w, {
    ids: batch.decoderIds,
    encoded,
    encoderMask: batch.promptMask,
    selfMask: batch.causalMask,
  });
  const tokens = labelLogProbs(logits(w, tf.reshape(hidden, [rows * length, config.d_model])), batch.labels);
  return tf.reshape(tf.sum(tf.mul(tf.reshape(tokens, [rows, length]), batch.labelMask), 1), [rows / 2, 2]);
}

/**
 * Sum of the pairs' losses.
 * @param weights [B], for a mean 1 over the number of pairs that it is over; 0 for rows that only fill the batch
 */
export function weightedLoss(loss: PreferenceLoss, tensors: PreferenceTensors, weights: Tensor): Tensor {
  return tf.sum(tf.mul(computeLoss(loss, tensors).losses, weights));
}

/**
 * Negative log-likelihood of the chosen completions over a number of labels: the term that RPO adds (Pang et al. 2024,
 * arXiv:2404.19733; TRL's rpo_alpha). It holds the likelihood of chosen completions up, which DPO alone lets fall.
 * @param policy log-probabilities [B, 2]
 * @param weights [B]; pairs of weight 0, which only fill the batch, do not count
 * @param chosenLabels a scalar: labels of all chosen completions that the loss is a mean over
 */
export function chosenNll(policy: Tensor, weights: Tensor, chosenLabels: Tensor): Tensor {
  const counted = tf.cast(tf.greater(weights, 0), 'float32');
  return tf.neg(tf.div(tf.sum(tf.mul(ofBoth(policy).chosen, counted)), chosenLabels));
}

export interface PairObjective {
  loss: PreferenceLoss;
  /** Weight of `chosenNll` beside the loss; default 0. */
  rpoAlpha?: number;
  /** Whether pairs have `rewards`; default false. */
  rewards?: boolean;
}

/**
 * `logps` [B, 2] of `collatePairs` arrays; the loss of them and of `labelCounts` [B, 2], with `reference` [B, 2] and `rewards` [B, 2] where
 * there are any, is weighted by `pairWeights` [B]. With `rpoAlpha` the mean of `chosenNll` is over `chosenLabels` [].
 */
export function pairProgram(
  config: BartConfig,
  { pairs, promptLength, completionLength }: BatchShape,
  { loss, rpoAlpha = 0, rewards = false }: PairObjective,
): BatchProgram {
  const rows = 2 * pairs;
  const ofBothCompletions: InputSpec = { shape: [pairs, 2], dtype: 'float32' };
  return {
    inputs: {
      promptIds: { shape: [pairs, promptLength], dtype: 'int32' },
      promptMask: { shape: [pairs, promptLength], dtype: 'float32' },
      decoderIds: { shape: [rows, completionLength], dtype: 'int32' },
      labels: { shape: [rows * completionLength], dtype: 'int32' },
      labelMask: { shape: [rows, completionLength], dtype: 'float32' },
    },
    targets: {
      labelCounts: ofBothCompletions,
      ...(loss.needsReference ? { reference: ofBothCompletions } : {}),
      ...(rewards ? { rewards: ofBothCompletions } : {}),
      pairWeights: { shape: [pairs], dtype: 'float32' },
      ...(rpoAlpha === 0 ? {} : { chosenLabels: { shape: [], dtype: 'float32' } }),
    },
    constants: {
      causalMask: { shape: [completionLength, completionLength], data: causalMask(completionLength) },
    },
    forward: (w) => ({ logps: pairLogProbs(config, w, w as unknown as PairTensors) }),
    loss({ logps }, { reference, rewards, labelCounts, pairWeights, chosenLabels }) {
      const mean = weightedLoss(
        loss,
        { policy: logps, reference, rewards, labels: labelCounts },
        pairWeights,
      );
      if (rpoAlpha === 0) return mean;
      return tf.add(mean, tf.mul(chosenNll(logps, pairWeights, chosenLabels), rpoAlpha));
    },
  };
}
