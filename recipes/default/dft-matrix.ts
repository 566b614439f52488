/** Spectra of frames by one product with a DFT matrix, for training: as `lib/codec/spectral/stft-graph.ts` computes them, batched and simpler. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { hannWindow } from '../../lib/audio/stft.js';
import { HOP } from '../../lib/codec/spectral/features.js';
import { BINS, FFT_SIZE } from '../../lib/codec/spectral/stft-graph.js';
import { tf } from '../../lib/engine/index.js';

const OVERLAP = FFT_SIZE / HOP;

/** [FFT_SIZE, 2 * BINS]: a frame times this is its windowed spectrum, real parts before imaginary parts. */
export function forwardBasis(): Float32Array {
  const window = hannWindow(FFT_SIZE);
  const matrix = new Float32Array(FFT_SIZE * 2 * BINS);
  for (let n = 0; n < FFT_SIZE; n++) {
    for (let k = 0; k < BINS; k++) {
      const angle = (2 * Math.PI * ((n * k) % FFT_SIZE)) / FFT_SIZE;
      matrix[n * 2 * BINS + k] = window[n] * Math.cos(angle);
      matrix[n * 2 * BINS + BINS + k] = -window[n] * Math.sin(angle);
    }
  }
  return matrix;
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
