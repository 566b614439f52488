/** Residual vector quantization (Zeghidour et al. 2021, algorithm 1): each codebook codes what the earlier ones left over. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from '../engine/index.js';

/**
 * For every row of `vectors` [rows, d] the nearest of `entries` [size, d] in Euclidean distance: indices, int32 [rows].
 * The row's own norm is the same for all entries and left out.
 */
export function nearestEntries(vectors: Tensor, entries: Tensor): Tensor {
  const norms = tf.sum(tf.square(entries), 1);
  const products = tf.matMul(
    vectors as ReturnType<typeof tf.tensor2d>,
    entries as ReturnType<typeof tf.tensor2d>,
    false,
    true,
  );
  return tf.argMin(tf.sub(norms, tf.mul(products, 2)), 1);
}

/** Codes int32 [codebooks, rows] of `features` [rows, d], greedily. */
export function quantize(features: Tensor, codebooks: readonly Tensor[]): Tensor {
  let residual = features;
  const codes = codebooks.map((entries) => {
    const indices = nearestEntries(residual, entries);
    residual = tf.sub(residual, tf.gather(entries, indices as ReturnType<typeof tf.tensor1d>));
    return indices;
  });
  return tf.stack(codes);
}

/** The sum of every codebook's entry for each frame: features [frames, d] of `codes[codebook][frame]`. */
export function sumEntries(
  codes: readonly (readonly number[])[],
  codebooks: readonly Float32Array[],
  d: number,
): Float32Array {
  const frames = codes[0].length;
  const sum = new Float32Array(frames * d);
  codes.forEach((row, codebook) => {
    const entries = codebooks[codebook];
    for (let frame = 0; frame < frames; frame++) {
      const from = row[frame] * d;
      for (let i = 0; i < d; i++) sum[frame * d + i] += entries[from + i];
    }
  });
  return sum;
}
