/** Log-probabilities of given tokens: what DPO and supervised training are made of. */
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../engine/tf.js';

/**
 * log softmax(logits)[label] for every row: logits [N, V], labels [N] (int32) to [N].
 * One softmax over the whole vocabulary, as TRL's `get_batch_logps`; its gradient is (one-hot - softmax), written by hand.
 */
export function labelLogProbs(logits: Tensor, labels: Tensor): Tensor {
  const chosen = tf.oneHot(labels as Parameters<typeof tf.oneHot>[0], logits.shape[1]!, 1, 0, 'float32');
  const operator = tf.customGrad((...args) => {
    const x = args[0] as Tensor;
    const save = args[1] as unknown as (tensors: Tensor[]) => void;
    const shifted = tf.sub(x, tf.max(x, -1, true));
    const exponentials = tf.exp(shifted);
    const total = tf.sum(exponentials, -1, true);
    save([exponentials, total, chosen]);
    return {
      value: tf.sub(tf.sum(tf.mul(shifted, chosen), -1), tf.log(tf.reshape(total, [-1]))),
      gradFunc: (dy: Tensor, [e, sum, oneHot]: Tensor[]) =>
        tf.mul(tf.sub(oneHot, tf.div(e, sum)), tf.expandDims(dy, -1)),
    };
  });
  return operator(logits);
}
