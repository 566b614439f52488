import { expect, it } from 'vitest';
import { trackF0 } from '../../lib/audio/f0.js';
import { uniformStream } from '../../lib/random.js';

const RATE_HZ = 16000;
const HOP = 160;
const FRAMES = 60;

/** Ten harmonics of a fundamental that goes from `startHz` to `endHz` over FRAMES hops, and what one analysis frame needs more. */
function glide(startHz: number, endHz: number): Float32Array {
  let phase = 0;
  return Float32Array.from({ length: FRAMES * HOP + 1024 }, (_, i) => {
    phase += (startHz + ((endHz - startHz) * i) / (FRAMES * HOP)) / RATE_HZ;
    let sum = 0;
    for (let harmonic = 1; harmonic <= 10; harmonic++)
      sum += Math.sin(2 * Math.PI * harmonic * phase) / harmonic;
    return 0.1 * sum;
  });
}

it('follows the fundamental of a harmonic sound', () => {
  const { logF0, voiced } = trackF0(glide(110, 180), HOP, FRAMES, RATE_HZ);
  for (let t = 2; t < FRAMES - 6; t++) {
    const hz = 110 + (70 * (t * HOP + 512)) / (FRAMES * HOP);
    expect(voiced[t]).toBe(1);
    expect(Math.exp(logF0[t]) / hz).toBeCloseTo(1, 2);
  }
});

it('finds no pitch in noise and silence', () => {
  const uniform = uniformStream(1);
  const noise = Float32Array.from({ length: FRAMES * HOP + 1024 }, () => 0.2 * (uniform() - 0.5));
  const voicedInNoise = trackF0(noise, HOP, FRAMES, RATE_HZ).voiced.reduce((sum, v) => sum + v, 0);
  expect(voicedInNoise).toBeLessThan(FRAMES / 10);
  const silent = trackF0(new Float32Array(5000), HOP, FRAMES, RATE_HZ);
  expect(silent.voiced.every((v) => v === 0)).toBe(true);
  expect(silent.logF0.every((value) => value === Math.fround(Math.log(130)))).toBe(true);
});

it('interpolates ln F0 across a gap without voice', () => {
  const sound = glide(120, 120);
  sound.fill(0, 20 * HOP, 40 * HOP);
  const { logF0, voiced } = trackF0(sound, HOP, FRAMES, RATE_HZ);
  expect(voiced[26]).toBe(0);
  expect(Math.exp(logF0[26])).toBeCloseTo(120, 0);
});
