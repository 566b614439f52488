import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { hannWindow } from '../../lib/audio/stft.js';
import { HOP } from '../../lib/codec/spectral/features.js';
import { griffinLim } from '../../lib/codec/spectral/griffin-lim.js';
import {
  BINS_OF,
  FFT_SIZE,
  MARGIN,
  overlapAdd,
  overlapGain,
  stftMatrices,
  transform,
  type Complex,
  type StftMatrices,
} from '../../lib/codec/spectral/stft-graph.js';
import { tf } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';
import { forwardBasis, frameBlocks } from '../../recipes/default/dft-matrix.js';
import { directTransform } from '../support/direct-transform.js';

const FRAMES = 4;
const PARITIES = ['even', 'odd'] as const;

/** Noise between its margins. */
function noise(): Float32Array {
  const uniform = uniformStream(3);
  const samples = new Float32Array((FRAMES + 3) * HOP);
  for (let i = 0; i < FRAMES * HOP; i++) samples[MARGIN + i] = uniform() - 0.5;
  return samples;
}

const columnsOf = (samples: Float32Array): Tensor => tf.transpose(tf.tensor2d(samples, [FRAMES + 3, HOP]));

const openMatrices = (): StftMatrices =>
  Object.fromEntries(
    Object.entries(stftMatrices()).map(([name, { shape, data }]) => [name, tf.tensor2d(data, shape)]),
  ) as StftMatrices;

const gain = () => tf.tensor2d(overlapGain(FRAMES), [HOP, FRAMES + 3]);

const sizeOf = ({ real, imaginary }: Complex): Tensor =>
  tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));

function magnitudesOf(signal: Tensor): { even: Tensor; odd: Tensor } {
  const { even, odd } = transform(signal, openMatrices());
  return { even: sizeOf(even), odd: sizeOf(odd) };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);

/** The spectrum of frame t: real and imaginary parts in turns. */
function spectrumOf(samples: Float32Array, t: number): number[] {
  const window = hannWindow(FFT_SIZE);
  return directTransform(window.map((weight, n) => weight * samples[t * HOP + n]));
}

describe('the short-time Fourier transform as tensor operations', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('gives the spectrum that the sum which defines it gives', () => {
    const samples = noise();
    const spectrum = transform(columnsOf(samples), openMatrices());
    for (const parity of PARITIES) {
      const real = spectrum[parity].real.arraySync() as number[][];
      const imaginary = spectrum[parity].imaginary.arraySync() as number[][];
      for (let t = 0; t < FRAMES; t++) {
        const expected = spectrumOf(samples, t);
        BINS_OF[parity].forEach((bin, row) => {
          expect(real[row][t]).toBeCloseTo(expected[2 * bin], 4);
          expect(imaginary[row][t]).toBeCloseTo(expected[2 * bin + 1], 4);
        });
      }
    }
  });

  it('gives the spectrum the codec is trained with', () => {
    const samples = noise();
    const frames = frameBlocks(tf.tensor2d(samples, [FRAMES + 3, HOP])) as Tensor2D;
    const bins = forwardBasis().length / FFT_SIZE;
    const basis = tf.tensor2d(forwardBasis(), [FFT_SIZE, bins]);
    const spectrum = tf.matMul(frames, basis).arraySync() as number[][];
    for (let t = 0; t < FRAMES; t++) {
      const expected = spectrumOf(samples, t);
      const interleaved = expected.map((_, i) => spectrum[t][(i >> 1) + (i & 1 ? bins / 2 : 0)]);
      expect(largestDifference(interleaved, expected)).toBeLessThan(1e-4);
    }
  });

  it('is undone by its inverse', () => {
    const signal = columnsOf(noise());
    const matrices = openMatrices();
    const back = tf.mul(overlapAdd(transform(signal, matrices), matrices), gain());
    expect(largestDifference(back.dataSync(), signal.dataSync())).toBeLessThan(1e-5);
  });

  it('griffinLim keeps a signal whose magnitudes and phase it is given', () => {
    const signal = columnsOf(noise());
    const found = griffinLim(magnitudesOf(signal), signal, 2, openMatrices(), gain());
    expect(largestDifference(found.dataSync(), signal.dataSync())).toBeLessThan(1e-4);
  });

  it('griffinLim finds a signal of nearly the given magnitudes from another phase', () => {
    const signal = columnsOf(noise());
    const target = magnitudesOf(signal);
    const start = tf.reverse(signal, [0, 1]);
    const error = (iterations: number): number => {
      const found = magnitudesOf(griffinLim(target, start, iterations, openMatrices(), gain()));
      const squares = PARITIES.map((parity) => tf.sum(tf.squaredDifference(found[parity], target[parity])));
      return Math.sqrt(tf.addN(squares).dataSync()[0]);
    };
    expect(error(8)).toBeLessThan(0.6 * error(0));
  });
});
