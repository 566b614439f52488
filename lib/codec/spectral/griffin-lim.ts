import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../../engine/index.js';
import { BINS, frameBlocks, overlapAdd } from './stft-graph.js';

export interface StftMatrices {
  /** `forwardBasis()`, `inverseBasis()` and `overlapGain(frames)` as tensors. */
  forward: Tensor;
  inverse: Tensor;
  gain: Tensor;
}

const MOMENTUM = 0.9;

/**
 * A signal, as blocks [T + 3, HOP], whose spectrum has nearly the given magnitudes [T, BINS]: the fast Griffin-Lim algorithm
 * (Perraudin, Balazs & Sondergaard 2013) from the phase of `start` [T + 3, HOP].
 */
export function griffinLim(
  magnitudes: Tensor,
  start: Tensor,
  iterations: number,
  matrices: StftMatrices,
): Tensor {
  const withPhaseOf = (spectrum: Tensor): Tensor => {
    const [real, imaginary] = tf.split(spectrum as Tensor2D, [BINS, BINS], 1);
    const size = tf.sqrt(tf.add(tf.add(tf.square(real), tf.square(imaginary)), 1e-18));
    const ratio = tf.div(magnitudes, size);
    return tf.concat([tf.mul(real, ratio), tf.mul(imaginary, ratio)], 1);
  };
  let estimate = withPhaseOf(transform(start, matrices));
  let previous: Tensor | undefined;
  for (let i = 0; i < iterations; i++) {
    const consistent = transform(invert(estimate, matrices), matrices);
    const step = previous && tf.mul(tf.sub(consistent, previous), MOMENTUM);
    estimate = withPhaseOf(step ? tf.add(consistent, step) : consistent);
    previous = consistent;
  }
  return invert(estimate, matrices);
}

const transform = (blocks: Tensor, { forward }: StftMatrices): Tensor =>
  tf.matMul(frameBlocks(blocks) as Tensor2D, forward as Tensor2D);

const invert = (spectrum: Tensor, { inverse, gain }: StftMatrices): Tensor =>
  tf.mul(overlapAdd(tf.matMul(spectrum as Tensor2D, inverse as Tensor2D)), gain);
