import type { Tensor } from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { HOP } from '../../lib/codec/spectral/features.js';
import { openPhaseSearch } from '../../lib/codec/spectral/griffin-lim-cpu.js';
import { griffinLim } from '../../lib/codec/spectral/griffin-lim.js';
import {
  BINS,
  BINS_OF,
  FFT_SIZE,
  MARGIN,
  overlapGain,
  stftMatrices,
  type StftMatrices,
} from '../../lib/codec/spectral/stft-graph.js';
import { compile, CpuDevice, tf } from '../../lib/engine/index.js';
import { hannWindow } from '../../lib/audio/stft.js';
import { uniformStream } from '../../lib/random.js';
import { directTransform } from '../support/direct-transform.js';

const FRAMES = 16;
const device = new CpuDevice(1);
afterAll(() => device.close());

/** Noise between its margins, [FRAMES + 3, HOP]. */
function noise(seed: number): Float32Array {
  const uniform = uniformStream(seed);
  const samples = new Float32Array((FRAMES + 3) * HOP);
  for (let i = 0; i < FRAMES * HOP; i++) samples[MARGIN + i] = uniform() - 0.5;
  return samples;
}

/** [BINS, FRAMES], by the sum that defines the transform. */
function magnitudesOf(signal: Float32Array): Float32Array {
  const window = hannWindow(FFT_SIZE);
  const magnitudes = new Float32Array(BINS * FRAMES);
  for (let t = 0; t < FRAMES; t++) {
    const spectrum = directTransform(window.map((weight, n) => weight * signal[t * HOP + n]));
    for (let bin = 0; bin < BINS; bin++)
      magnitudes[bin * FRAMES + t] = Math.hypot(spectrum[2 * bin], spectrum[2 * bin + 1]);
  }
  return magnitudes;
}

async function search(magnitudes: Float32Array, start: Float32Array, iterations: number) {
  const phases = await openPhaseSearch(device, FRAMES, iterations);
  await device.write(phases.magnitudes, magnitudes);
  const found = await phases.find(start);
  await phases.dispose();
  return found;
}

/** What every other device computes: the graph, on this CPU. */
async function searchByGraph(magnitudes: Float32Array, start: Float32Array, iterations: number) {
  const program = await compile(
    ({ sizes, first, gain, ...matrices }) => {
      const bins = { even: tf.gather(sizes, [...BINS_OF.even]), odd: tf.gather(sizes, [...BINS_OF.odd]) };
      const signal: Tensor = griffinLim(
        bins,
        tf.transpose(first),
        iterations,
        matrices as StftMatrices,
        gain,
      );
      return { signal: tf.transpose(signal) };
    },
    {
      sizes: { shape: [BINS, FRAMES], dtype: 'float32' },
      first: { shape: [FRAMES + 3, HOP], dtype: 'float32' },
    },
    {
      device,
      constants: { ...stftMatrices(), gain: { shape: [HOP, FRAMES + 3], data: overlapGain(FRAMES) } },
    },
  );
  const { signal } = await program({ sizes: magnitudes, first: start });
  await program.dispose();
  return signal as Float32Array;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);

describe('Griffin-Lim by fast Fourier transforms', () => {
  it('keeps a signal whose magnitudes and phase it is given', async () => {
    const signal = noise(3);
    expect(largestDifference(await search(magnitudesOf(signal), signal, 2), signal)).toBeLessThan(1e-5);
  });

  it.each([0, 1, 2, 16])('finds what the graph finds, after %i iterations', async (iterations) => {
    const magnitudes = magnitudesOf(noise(3));
    const start = noise(4);
    const found = await search(magnitudes, start, iterations);
    // Two ways of float32 to the same: the noise of the transform, which every iteration carries on.
    expect(largestDifference(found, await searchByGraph(magnitudes, start, iterations))).toBeLessThan(2e-5);
    expect(largestDifference(found, start)).toBeGreaterThan(0.1);
  });

  it('finds the same for the next recording as for the first', async () => {
    const phases = await openPhaseSearch(device, FRAMES, 3);
    const [a, b] = [magnitudesOf(noise(3)), magnitudesOf(noise(5))];
    const find = async (magnitudes: Float32Array) => {
      await device.write(phases.magnitudes, magnitudes);
      return phases.find(noise(4));
    };
    const first = await find(a);
    expect(await find(b)).not.toEqual(first);
    expect(await find(a)).toEqual(first);
    await phases.dispose();
  });

  it('takes frames in multiples of 8', async () => {
    await expect(openPhaseSearch(device, 12, 2)).rejects.toThrow('frames come in multiples of 8, got 12');
  });
});
