import { describe, expect, it } from 'vitest';
import { canResample, resample, resampleLikeOctave } from '../../lib/audio/resample.js';

const tone = (hz: number, sampleRateHz: number, seconds = 0.2) =>
  Float32Array.from({ length: sampleRateHz * seconds }, (_, i) =>
    Math.sin((2 * Math.PI * hz * i) / sampleRateHz),
  );

/** Largest difference away from the ends, where the filter has only half of the signal. */
function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  const edge = Math.floor(a.length / 8);
  return Math.max(...a.subarray(edge, -edge).map((value, i) => Math.abs(value - b[edge + i])));
}

describe('resample', () => {
  it.each([
    [48000, 16000],
    [44100, 16000],
    [16000, 24000],
    [8000, 16000],
    [22050, 48000],
  ])('keeps a tone in place from %i to %i Hz', (fromHz, toHz) => {
    const hz = 0.43 * Math.min(fromHz, toHz);
    const highest = (0.91 * Math.min(fromHz, toHz)) / 2;
    expect(difference(resample(tone(highest, fromHz), fromHz, toHz), tone(highest, toHz))).toBeLessThan(3e-5);
    expect(difference(resample(tone(hz, fromHz), fromHz, toHz), tone(hz, toHz))).toBeLessThan(3e-5);
  });

  it('removes what the new rate cannot hold', () => {
    const out = resample(tone(8100, 48000), 48000, 16000);
    expect(difference(out, new Float32Array(out.length))).toBeLessThan(2e-5);
  });

  it('gives the same samples for the same rate, and none for none', () => {
    const samples = tone(100, 8000);
    expect(resample(samples, 8000, 8000)).toBe(samples);
    expect(resample(new Float32Array(0), 8000, 16000)).toHaveLength(0);
    expect(resample(new Float32Array(7), 44100, 16000)).toHaveLength(3);
  });

  it('explains what cannot be', () => {
    expect(() => resample(tone(1, 10), 0, 8000)).toThrow('positive whole number of Hz, not 0');
    expect(() => resample(tone(1, 10), 3_999_999_999, 16000)).toThrow(
      'Cannot resample from 3999999999 to 16000 Hz',
    );
  });

  it('knows a way between rates whose ratio has numbers up to 50,000', () => {
    expect(canResample(44100, 16000)).toBe(true);
    expect(canResample(50_000, 49_999)).toBe(true);
    expect(canResample(50_001, 50_000)).toBe(false);
    expect(() => resampleLikeOctave(new Float32Array(2), 50_001, 50_000)).toThrow(
      'Cannot resample from 50001',
    );
    for (const rate of [0, -8000, 22050.5, NaN]) expect(canResample(rate, 16000)).toBe(false);
  });
});

describe('resampleLikeOctave', () => {
  it('has the values of pystoi.utils.resample_oct', () => {
    const ramp = Float32Array.from({ length: 16 }, (_, i) => (i * 7) % 5);
    const expected = [0.3060936111, 2.9539790367, 2.2456425721, 1.0572727877, 2.4153084587, 2.7050934059, 0.8761425354, 2.3686874852, 2.6636577631, 1.3081390752]; // prettier-ignore
    const out = resampleLikeOctave(ramp, 16000, 10000);
    expect(out).toHaveLength(expected.length);
    expected.forEach((value, i) => expect(out[i]).toBeCloseTo(value, 9));
  });
});
