/** Completions of prompts as padded rows: the arrays, their sizes for a compiler, and the log-probability of each label in them. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from '../engine/index.js';
import type { BatchSizes, Model, Rows, Tensors } from '../policy/architecture.js';
import { labelLogProbs } from '../policy/log-probs.js';
import { lengthMask, padIds } from '../policy/padding.js';
import type { Arrays, BatchProgram } from '../train/objective.js';

/** The network that completions go through. */
export type Network = Pick<Model, 'architecture' | 'config'>;

/** What a program of R rows of T labels reads beside weights: the architecture's arrays, `labels` [R * T] and `labelMask` [R, T]. */
export function labelledInputs(
  { architecture, config }: Network,
  sizes: BatchSizes,
): Pick<BatchProgram, 'inputs' | 'constants'> {
  const { inputs, constants } = architecture.batchInputs(config, sizes);
  const rows = sizes.prompts * sizes.samples;
  const { completionLength } = sizes;
  return {
    inputs: {
      ...inputs,
      labels: { shape: [rows * completionLength], dtype: 'int32' },
      labelMask: { shape: [rows, completionLength], dtype: 'float32' },
    },
    constants,
  };
}

/**
 * The arrays of {@link labelledInputs}: labels are any id where masked, and `labelMask` is 1 where a label counts.
 *
 * @param completions those of the first prompt, then those of the second, ...
 */
export function collateLabelled(
  { architecture, config }: Network,
  sizes: BatchSizes,
  prompts: Rows,
  completions: Rows,
): Arrays {
  return {
    ...architecture.collate(config, sizes, prompts, completions),
    labels: padIds(completions, sizes.completionLength, config.pad_token_id),
    labelMask: lengthMask(completions, sizes.completionLength, 1, 0),
  };
}

/**
 * Log-probability of each label of a batch, 0 where a row is filled up: [R, T].
 *
 * @param tensors weights, and the arrays of {@link labelledInputs}
 */
export function maskedLabelLogProbs({ architecture, config }: Network, tensors: Tensors): Tensor {
  const hidden = architecture.hiddenStates(config, tensors);
  const [rows, length, width] = hidden.shape as [number, number, number];
  const scores = architecture.logits(tensors, tf.reshape(hidden, [rows * length, width]));
  const logps = tf.reshape(labelLogProbs(scores, tensors.labels), [rows, length]);
  return tf.mul(logps, tensors.labelMask);
}
