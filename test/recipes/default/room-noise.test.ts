import { describe, expect, it } from 'vitest';
import { createRealFft } from '../../../lib/audio/fft.js';
import {
  addRoomNoise,
  HIGHEST_SNR_DB,
  LOWEST_SNR_DB,
  NOISY_SHARE,
} from '../../../recipes/default/room-noise.js';

const LENGTH = 16_384;
const tone = Float32Array.from({ length: LENGTH }, (_, i) => Math.sin(i * 0.3) / 4);
const noisy = Array.from({ length: 400 }, (_, key) => addRoomNoise(tone, key, 3));
const power = (samples: Iterable<number>): number => {
  const all = [...samples];
  return all.reduce((sum, sample) => sum + sample * sample, 0) / all.length;
};
const noiseOf = (samples: Float32Array): Float32Array => samples.map((sample, i) => sample - tone[i]);

describe('addRoomNoise', () => {
  it('leaves the rest clean', () => {
    const share = noisy.filter((samples) => samples !== null).length / noisy.length;
    // Three standard deviations of 400 draws.
    expect(Math.abs(share - NOISY_SHARE)).toBeLessThan(0.075);
  });

  it('keeps the ratio to the signal within its bounds', () => {
    const ratios = noisy.flatMap((samples) =>
      samples === null ? [] : 10 * Math.log10(power(tone) / power(noiseOf(samples))),
    );
    expect(Math.min(...ratios)).toBeGreaterThan(LOWEST_SNR_DB - 0.01);
    expect(Math.max(...ratios)).toBeLessThan(HIGHEST_SNR_DB + 0.01);
    expect(Math.max(...ratios) - Math.min(...ratios)).toBeGreaterThan(0.9 * (HIGHEST_SNR_DB - LOWEST_SNR_DB));
  });

  it('is pink: every octave holds as much power', () => {
    const samples = noisy.find((candidate) => candidate !== null)!;
    const spectrum = createRealFft(LENGTH).forward(Float64Array.from(noiseOf(samples)));
    const octave = (bin: number) =>
      Array.from({ length: bin }, (_, i) => power(spectrum.slice(2 * (bin + i), 2 * (bin + i) + 2))).reduce(
        (sum, value) => sum + value,
      );
    const decibels = [256, 512, 1024, 2048].map((bin) => 10 * Math.log10(octave(bin)));
    expect(Math.max(...decibels) - Math.min(...decibels)).toBeLessThan(2.5);
  });

  it('gives the same key the same noise', () => {
    const key = noisy.findIndex((samples) => samples !== null);
    expect(addRoomNoise(tone, key, 3)).toEqual(noisy[key]);
    expect(addRoomNoise(tone, key, 4)).not.toEqual(noisy[key]);
  });
});
