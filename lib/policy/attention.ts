/** Attention with a gradient of its own, which keeps none of its shares. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.js';

/**
 * Scaled dot-product attention of several heads (Vaswani et al. 2017): softmax(q kᵀ + mask) v, heads side by side. Queries [B, H, Tq, d], scaled
 * already, keys and values [B, H, Tk, d]; `mask` is added to scores [B, H, Tq, Tk] and broadcasts to them. The result is [B, Tq, H d].
 *
 * The gradient is FlashAttention's (Dao et al. 2022, appendix B.2): shares are computed again from queries and keys, so that nothing of their size,
 * which grows with the square of the length, is kept until then; and what softmax's gradient takes off in each row, the sum of shares times
 * their gradients, comes from the result and its gradient, of which it is the product.
 */
export function attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor): Tensor {
  const sharesOf = (q: Tensor, k: Tensor, bias: Tensor) =>
    tf.softmax(tf.add(tf.matMul(q, k, false, true), bias));
  const operator = tf.customGrad((...args) => {
    const [q, k, v] = args as Tensor[];
    const save = args[3] as unknown as (tensors: Tensor[]) => void;
    const value = joinHeads(tf.matMul(sharesOf(q, k, mask), v));
    save([q, k, v, value, mask]);
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [q0, k0, v0, value0, mask0] = saved;
        const [batch, heads, length, width] = q0.shape as [number, number, number, number];
        const shares = sharesOf(q0, k0, mask0);
        const dMixed = splitHeads(dy, heads);
        const ofHeads = tf.sum(tf.reshape(tf.mul(dy, value0), [batch, length, heads, width]), -1, true);
        const ofRows = tf.transpose(ofHeads, [0, 2, 1, 3]);
        const dScores = tf.mul(shares, tf.sub(tf.matMul(dMixed, v0, false, true), ofRows));
        return [
          tf.matMul(dScores, k0),
          tf.matMul(dScores, q0, true, false),
          tf.matMul(shares, dMixed, true, false),
        ];
      },
    };
  });
  return operator(queries, keys, values);
}

/** [B, T, D] to [B, heads, T, D / heads] */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, heads, T, d] to [B, T, heads d] */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, length, width] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, length, heads * width]);
}
