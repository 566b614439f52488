/** The DPO objective on a batch of preference pairs. */
import type { Tensor } from '@tensorflow/tfjs';
import type { BartConfig } from '../checkpoint/bart-config.js';
import { tf } from '../engine/index.js';
import { decode, encode, logits, type Weights } from '../policy/bart.js';
import { labelLogProbs } from '../policy/log-probs.js';
import type { DpoMetrics } from './metrics.js';

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
export function pairLogProbs(config: BartConfig, w: Weights, batch: PairTensors): Tensor {
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
 * Sigmoid DPO loss (Rafailov et al. 2023, eq. 7; TRL loss_type "sigmoid", label_smoothing 0):
 * -log sigmoid(beta * ((policy chosen - policy rejected) - (reference chosen - reference rejected))), weighted and summed.
 * @param policy log-probabilities [B, 2]
 * @param reference log-probabilities [B, 2]
 * @param weights [B], for a mean 1 over the number of pairs that it is over; 0 for rows that only fill the batch
 */
export function sigmoidLoss(policy: Tensor, reference: Tensor, weights: Tensor, beta: number): Tensor {
  const [chosen, rejected] = tf.split(tf.sub(policy, reference), 2, 1);
  // softplus(-x) is -log sigmoid(x), without overflow for large |x|.
  const losses = tf.softplus(tf.mul(tf.sub(rejected, chosen), beta));
  return tf.sum(tf.mul(tf.reshape(losses, [-1]), weights));
}

/**
 * Negative log-likelihood of the chosen completions over a number of labels: the term that RPO adds (Pang et al. 2024,
 * arXiv:2404.19733; TRL's rpo_alpha). It holds the likelihood of chosen completions up, which DPO alone lets fall.
 * @param policy log-probabilities [B, 2]
 * @param weights [B]; pairs of weight 0, which only fill the batch, do not count
 * @param chosenLabels a scalar: labels of all chosen completions that the loss is a mean over
 */
export function chosenNll(policy: Tensor, weights: Tensor, chosenLabels: Tensor): Tensor {
  const counted = tf.reshape(tf.cast(tf.greater(weights, 0), 'float32'), [-1, 1]);
  const [chosen] = tf.split(tf.mul(policy, counted), 2, 1);
  return tf.neg(tf.div(tf.sum(chosen), chosenLabels));
}

/**
 * The logged metrics from log-probabilities laid out [pair][chosen, rejected], as TRL's get_batch_loss_metrics:
 * rewards are beta * (policy - reference), an accuracy is 1 only where chosen is strictly above rejected.
 */
export function pairMetrics(
  policy: ArrayLike<number>,
  reference: ArrayLike<number>,
  pairs: number,
  beta: number,
): DpoMetrics {
  const sums = { loss: 0, chosen: 0, rejected: 0, accurate: 0, chosenLogps: 0, rejectedLogps: 0 };
  for (let i = 0; i < pairs; i++) {
    const chosen = beta * (policy[2 * i] - reference[2 * i]);
    const rejected = beta * (policy[2 * i + 1] - reference[2 * i + 1]);
    const margin = chosen - rejected;
    sums.loss += Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin)));
    sums.chosen += chosen;
    sums.rejected += rejected;
    sums.accurate += chosen > rejected ? 1 : 0;
    sums.chosenLogps += policy[2 * i];
    sums.rejectedLogps += policy[2 * i + 1];
  }
  return {
    loss: sums.loss / pairs,
    'rewards/chosen': sums.chosen / pairs,
    'rewards/rejected': sums.rejected / pairs,
    'rewards/margins': (sums.chosen - sums.rejected) / pairs,
    'rewards/accuracies': sums.accurate / pairs,
    'logps/chosen': sums.chosenLogps / pairs,
    'logps/rejected': sums.rejectedLogps / pairs,
  };
}
