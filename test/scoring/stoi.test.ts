import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readWav, toMono } from '../../lib/audio/wav.js';
import { extendedStoi, stoi } from '../../lib/scoring/stoi.js';
import { sharedPath } from '../support/shared.js';

/** Bursts of a harmonic sound, not quite periodic. */
const speechLike = Float32Array.from({ length: 16000 }, (_, i) => {
  const burst = Math.sin((2 * Math.PI * i) / 4000) ** 2;
  return 0.2 * burst * (Math.sin(i * 0.07) + Math.sin(i * 0.31 + Math.sin(i / 500)) + Math.sin(i * 0.9));
});
const noise = speechLike.map((_, i) => 0.1 * Math.sin(i * i * 0.37));

describe.each([
  ['stoi', stoi],
  ['extendedStoi', extendedStoi],
])('%s', (_, score) => {
  // prettier-ignore
  it('is 1 for the reference itself, at any level and rate', () => {
    expect(score(speechLike, speechLike, 16000)).toBeCloseTo(1, 9);
    expect(score(speechLike, speechLike.map((value) => value / 10), 22050)).toBeCloseTo(1, 6); // prettier-ignore
  });

  it('falls with noise', () => {
    const mixed = (gain: number) => speechLike.map((value, i) => value + gain * noise[i]);
    const scores = [0, 1, 10].map((gain) => score(speechLike, mixed(gain), 16000));
    expect(scores[0]).toBeGreaterThan(scores[1] + 0.02);
    expect(scores[1]).toBeGreaterThan(scores[2] + 0.02);
  });

  it('takes half an hour, in which there are more frames than a call can have arguments', () => {
    const long = new Float32Array(30 * 60 * 10_000);
    long.set(speechLike, long.length / 2);
    expect(score(long, long, 10_000)).toBeCloseTo(1, 9);
  });

  it('is of 30 frames at least', () => {
    // A frame is 256 samples long, and the next one begins 128 later; the frames of what is left without silence are one fewer.
    const sound = (frames: number) =>
      Float32Array.from({ length: 256 + 128 * (frames + 1) }, (_, i) => speechLike[(i % 400) + 800]);
    expect(score(sound(30), sound(30), 10_000)).toBeCloseTo(1, 9);
    expect(() => score(sound(29), sound(29), 10_000)).toThrow('Too little speech');
  });

  it('is 0 for silence', () => {
    expect(score(speechLike, new Float32Array(16000), 16000)).toBe(0);
  });

  it('explains what cannot be compared', () => {
    expect(() => score(speechLike, speechLike.subarray(1), 16000)).toThrow(
      'the reference has 16000 samples, the other 15999',
    );
    expect(() => score(speechLike.subarray(0, 3200), speechLike.subarray(0, 3200), 16000)).toThrow(
      'Too little speech',
    );
    expect(() => score(new Float32Array(0), new Float32Array(0), 16000)).toThrow('Too little speech');
  });
});

const goldenPath = sharedPath('golden/pesq.json');
describe.skipIf(!goldenPath)('compared with pystoi 0.4.1', () => {
  const { pairs } = (goldenPath ? JSON.parse(readFileSync(goldenPath, 'utf8')) : { pairs: [] }) as {
    pairs: { ref: string; deg: string; sr: number; stoi: number; estoi: number }[];
  };
  it.each(pairs)('$ref, $deg', async ({ ref, deg, sr, ...expected }) => {
    const [reference, degraded] = await Promise.all(
      [ref, deg].map(async (file) => toMono(await readWav(sharedPath(`golden/audio/${file}`)!))),
    );
    expect(Math.abs(stoi(reference, degraded, sr) - expected.stoi)).toBeLessThan(1e-4);
    expect(Math.abs(extendedStoi(reference, degraded, sr) - expected.estoi)).toBeLessThan(1e-4);
  });
});
