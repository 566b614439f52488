/** Alignment by optimal transport: not pairs are compared, but the distributions that a batch's pairs are drawn from. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { exactScalar, tf } from '../../engine/index.js';
import { lossOfRewards, type PreferenceLoss } from '../preference-loss.js';
import { checkSmoothing, smoothedSigmoid } from './margin.js';

/**
 * AOT for pairs (Melnyk et al. 2024, arXiv:2406.05882; TRL "aot"): log (chosen / rejected) under the policy, sorted over the batch, should lie
 * above the same under the reference, sorted: DPO's sigmoid loss of beta times the difference of the two, place by place. Batches of one pair
 * leave nothing to sort: they give the sigmoid loss.
 *
 * @param labelSmoothing as `sigmoidLoss`'s
 */
export function aotLoss(beta: number, labelSmoothing = 0): PreferenceLoss {
  checkSmoothing('aot', labelSmoothing);
  return lossOfRewards({ name: 'aot', unit: 'nats' }, beta, (_, { policy, reference }) => {
    const ofPolicy = sorted(tf.sub(policy.chosen, policy.rejected));
    const ofReference = sorted(tf.sub(reference.chosen, reference.rejected));
    return smoothedSigmoid(tf.mul(tf.sub(ofPolicy, ofReference), exactScalar(beta)), labelSmoothing);
  });
}

/** Numbers [B] in ascending order, differentiable as torch.sort is: each gradient goes where its number came from. */
function sorted(values: Tensor): Tensor {
  const operator = tf.customGrad((...args) => {
    const permutation = sortingPermutation(args[0] as Tensor);
    const row = tf.reshape(args[0] as Tensor, [1, -1]);
    return {
      value: tf.sum(tf.mul(permutation, row), 1),
      gradFunc: (dy: Tensor) => tf.sum(tf.mul(permutation, tf.reshape(dy, [-1, 1])), 0),
    };
  });
  return operator(values);
}

/** [B, B], 1 at [place, index] where that number comes in ascending order; of equal numbers the first one comes first. */
function sortingPermutation(values: Tensor): Tensor {
  const [count] = values.shape;
  const column = tf.reshape(values, [count, 1]);
  const row = tf.reshape(values, [1, count]);
  const indices = Float32Array.from({ length: count }, (_, i) => i);
  const earlier = tf.tensor2d(
    Float32Array.from({ length: count * count }, (_, i) => Number(i % count < Math.floor(i / count))),
    [count, count],
  );
  const before = tf.add(
    tf.cast(tf.less(row, column), 'float32'),
    tf.mul(tf.cast(tf.equal(row, column), 'float32'), earlier),
  );
  const places = tf.reshape(tf.sum(before, 1), [1, count]);
  return tf.cast(tf.equal(places, tf.tensor2d(indices, [count, 1])), 'float32');
}
