/** The output head on some rows of the vocabulary. */
import type { Tensor } from '@tensorflow/tfjs';
import { LOGITS_BIAS, SHARED_EMBEDDING } from '../checkpoint/bart-weights.js';
import { tf } from '../engine/index.js';
import type { Weights } from './bart.js';

/** Logits for the vocabulary ids `head` only: hidden [N, D], head [H] (int32) to [N, H]. */
export function headLogits(w: Weights, hidden: Tensor, head: Tensor): Tensor {
  const bias = tf.gather(tf.reshape(w[LOGITS_BIAS], [-1]), head);
  return tf.fused.matMul({
    a: hidden as Tensor & { rank: 2 },
    b: tf.gather(w[SHARED_EMBEDDING], head),
    transposeB: true,
    bias,
  });
}
