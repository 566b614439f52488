import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from '../../engine/index.js';
import {
  overlapAdd,
  transform,
  type Complex,
  type Parity,
  type Spectrum,
  type StftMatrices,
} from './stft-graph.js';

const MOMENTUM = 0.9;

/**
 * A signal [160, T + 3] whose spectrum has nearly the given magnitudes, [bins, T] of each parity: the fast Griffin-Lim algorithm
 * (Perraudin, Balazs & Sondergaard 2013) from the phase of the signal `start`. Momentum is applied to the signal instead of to the
 * spectrum; that is the same, since the transform is linear.
 *
 * @param gain `overlapGain(T)`
 */
export function griffinLim(
  magnitudes: Record<Parity, Tensor>,
  start: Tensor,
  iterations: number,
  matrices: StftMatrices,
  gain: Tensor,
): Tensor {
  const withPhaseOf = ({ even, odd }: Spectrum): Spectrum => ({
    even: scaledTo(magnitudes.even, even),
    odd: scaledTo(magnitudes.odd, odd),
  });
  const project = (signal: Tensor): Tensor =>
    tf.mul(overlapAdd(withPhaseOf(transform(signal, matrices)), matrices), gain);
  let signal = project(start);
  let accelerated = signal;
  for (let i = 0; i < iterations; i++) {
    const next = project(accelerated);
    accelerated = tf.add(next, tf.mul(tf.sub(next, signal), MOMENTUM));
    signal = next;
  }
  return signal;
}

/** Complex numbers of the given sizes in the same directions. */
function scaledTo(size: Tensor, { real, imaginary }: Complex): Complex {
  const squared = tf.add(tf.square(real), tf.square(imaginary));
  const ratio = tf.div(size, tf.sqrt(tf.add(squared, 1e-18)));
  return { real: tf.mul(real, ratio), imaginary: tf.mul(imaginary, ratio) };
}
