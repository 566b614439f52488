/**
 * The short-time Fourier transform as tensor operations: frames are four neighbouring blocks of 160 samples, transforms are
 * products with DFT matrices, and overlap-add adds shifted blocks. A signal of T frames is T + 3 blocks, [T + 3, 160]: its samples
 * between 240 zeros on each side, so that frame t is centred on sample 160 t + 80.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { hannWindow } from '../../audio/stft.js';
import { tf } from '../../engine/index.js';
import { HOP } from './features.js';

export const FFT_SIZE = 4 * HOP;
export const BINS = FFT_SIZE / 2 + 1;
/** Zeros before the first sample in blocks. */
export const MARGIN = FFT_SIZE / 2 - HOP / 2;

const OVERLAP = FFT_SIZE / HOP;

/** [FFT_SIZE, 2 * BINS]: a frame times this is its windowed spectrum, real parts before imaginary parts. */
export function forwardBasis(): Float32Array {
  const window = hannWindow(FFT_SIZE);
  return basis((n, k) => [window[n] * cosine(n * k), -window[n] * sine(n * k)], false);
}

/** [2 * BINS, FFT_SIZE]: a spectrum times this is its windowed frame. */
export function inverseBasis(): Float32Array {
  const window = hannWindow(FFT_SIZE);
  return basis((n, k) => {
    // Bins between 0 Hz and half the sample rate stand for their mirror image too.
    const weight = (window[n] * (k === 0 || k === BINS - 1 ? 1 : 2)) / FFT_SIZE;
    return [weight * cosine(n * k), -weight * sine(n * k)];
  }, true);
}

/** 1 / (sum of squared windows over a sample) [frames + 3, HOP], 0 in the margins. */
export function overlapGain(frames: number): Float32Array {
  const window = hannWindow(FFT_SIZE);
  const sum = new Float64Array((frames + OVERLAP - 1) * HOP);
  for (let t = 0; t < frames; t++) for (let n = 0; n < FFT_SIZE; n++) sum[t * HOP + n] += window[n] ** 2;
  return Float32Array.from(sum, (value, i) =>
    i < MARGIN || i >= MARGIN + frames * HOP ? 0 : 1 / Math.max(value, 1e-3),
  );
}

/** Blocks [..., T + 3, HOP] to frames [..., T, FFT_SIZE] before windowing. */
export function frameBlocks(blocks: Tensor): Tensor {
  const [count] = blocks.shape.slice(-2);
  const frames = count - OVERLAP + 1;
  const lead = blocks.shape.slice(0, -2);
  const zeros = lead.map(() => 0);
  return tf.concat(
    Array.from({ length: OVERLAP }, (_, i) => tf.slice(blocks, [...zeros, i, 0], [...lead, frames, HOP])),
    -1,
  );
}

/** Frames [T, FFT_SIZE] to the blocks [T + 3, HOP] they add up to. */
export function overlapAdd(frames: Tensor): Tensor {
  const parts = tf.split(frames as Tensor2D, OVERLAP, 1);
  return tf.addN(parts.map((part, i) => tf.pad(part, [[i, OVERLAP - 1 - i], [0, 0]]))); // prettier-ignore
}

function basis(entry: (n: number, k: number) => [number, number], transposed: boolean): Float32Array {
  const matrix = new Float32Array(FFT_SIZE * 2 * BINS);
  const at = (n: number, column: number): number =>
    transposed ? column * FFT_SIZE + n : n * 2 * BINS + column;
  for (let n = 0; n < FFT_SIZE; n++) {
    for (let k = 0; k < BINS; k++) {
      const [real, imaginary] = entry(n, k);
      matrix[at(n, k)] = real;
      matrix[at(n, BINS + k)] = imaginary;
    }
  }
  return matrix;
}

const cosine = (step: number): number => Math.cos((2 * Math.PI * (step % FFT_SIZE)) / FFT_SIZE);
const sine = (step: number): number => Math.sin((2 * Math.PI * (step % FFT_SIZE)) / FFT_SIZE);
