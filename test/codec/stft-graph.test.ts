import { beforeAll, describe, expect, it } from 'vitest';
import { createRealFft } from '../../lib/audio/fft.js';
import { hannWindow } from '../../lib/audio/stft.js';
import { HOP } from '../../lib/codec/spectral/features.js';
import { griffinLim } from '../../lib/codec/spectral/griffin-lim.js';
import {
  BINS,
  FFT_SIZE,
  forwardBasis,
  frameBlocks,
  inverseBasis,
  MARGIN,
  overlapAdd,
  overlapGain,
} from '../../lib/codec/spectral/stft-graph.js';
import { tf } from '../../lib/engine/index.js';
import { uniformStream } from '../../lib/random.js';

const FRAMES = 4;

/** Noise between its margins, as blocks. */
function noiseBlocks(): Float32Array {
  const uniform = uniformStream(3);
  const blocks = new Float32Array((FRAMES + 3) * HOP);
  for (let i = 0; i < FRAMES * HOP; i++) blocks[MARGIN + i] = uniform() - 0.5;
  return blocks;
}

const matrices = () => ({
  forward: tf.tensor2d(forwardBasis(), [FFT_SIZE, 2 * BINS]),
  inverse: tf.tensor2d(inverseBasis(), [2 * BINS, FFT_SIZE]),
  gain: tf.tensor2d(overlapGain(FRAMES), [FRAMES + 3, HOP]),
});

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);

describe('the short-time Fourier transform as tensor operations', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('gives the spectrum an FFT gives', () => {
    const blocks = noiseBlocks();
    const frames = frameBlocks(tf.tensor2d(blocks, [FRAMES + 3, HOP])) as ReturnType<typeof tf.tensor2d>;
    const spectrum = tf.matMul(frames, matrices().forward).arraySync() as number[][];
    const fft = createRealFft(FFT_SIZE);
    const window = hannWindow(FFT_SIZE);
    for (const t of [0, 3]) {
      const expected = fft.forward(window.map((weight, i) => weight * blocks[t * HOP + i]));
      for (let bin = 0; bin < BINS; bin++) {
        expect(spectrum[t][bin]).toBeCloseTo(expected[2 * bin], 4);
        expect(spectrum[t][BINS + bin]).toBeCloseTo(expected[2 * bin + 1], 4);
      }
    }
  });

  it('is undone by its inverse', () => {
    const blocks = noiseBlocks();
    const { forward, inverse, gain } = matrices();
    const frames = frameBlocks(tf.tensor2d(blocks, [FRAMES + 3, HOP])) as ReturnType<typeof tf.tensor2d>;
    const back = tf.mul(overlapAdd(tf.matMul(tf.matMul(frames, forward), inverse)), gain).dataSync();
    expect(largestDifference(back, blocks)).toBeLessThan(1e-5);
  });

  it('griffinLim keeps a signal whose magnitudes and phase it is given', () => {
    const blocks = tf.tensor2d(noiseBlocks(), [FRAMES + 3, HOP]);
    const spectrum = tf.matMul(frameBlocks(blocks) as typeof blocks, matrices().forward);
    const [real, imaginary] = tf.split(spectrum, 2, 1);
    const magnitudes = tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
    const found = griffinLim(magnitudes, blocks, 2, matrices()).dataSync();
    expect(largestDifference(found, blocks.dataSync())).toBeLessThan(1e-4);
  });

  it('griffinLim finds a signal of nearly the given magnitudes from another phase', () => {
    const blocks = tf.tensor2d(noiseBlocks(), [FRAMES + 3, HOP]);
    const magnitudesOf = (signal: typeof blocks) => {
      const spectrum = tf.matMul(frameBlocks(signal) as typeof blocks, matrices().forward);
      const [real, imaginary] = tf.split(spectrum, 2, 1);
      return tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
    };
    const target = magnitudesOf(blocks);
    const start = tf.reverse(blocks, [0, 1]);
    const error = (iterations: number): number => {
      const found = griffinLim(target, start, iterations, matrices()) as typeof blocks;
      return tf.div(tf.norm(tf.sub(magnitudesOf(found), target)), tf.norm(target)).dataSync()[0];
    };
    expect(error(8)).toBeLessThan(0.6 * error(0));
  });
});
