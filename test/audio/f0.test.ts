import { expect, it } from 'vitest';
import { measureMedianF0Hz, trackF0 } from '../../lib/audio/f0.js';
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

it.each([
  ['up', 110, 180],
  ['down', 180, 110],
])('follows the fundamental of a harmonic sound %s', (_, startHz, endHz) => {
  const { logF0, voiced } = trackF0(glide(startHz, endHz), HOP, FRAMES);
  for (let t = 2; t < FRAMES - 6; t++) {
    const hz = startHz + ((endHz - startHz) * (t * HOP + 512)) / (FRAMES * HOP);
    expect(voiced[t]).toBe(1);
    expect(Math.exp(logF0[t]) / hz).toBeCloseTo(1, 2);
  }
});

it('takes a high voice for no lower one, whose periods it repeats as well', () => {
  const { logF0, voiced } = trackF0(glide(320, 320), HOP, FRAMES);
  expect(voiced.every((v) => v === 1)).toBe(true);
  for (const value of logF0) expect(Math.exp(value)).toBeCloseTo(320, 0);
});

it('hears silence after the end', () => {
  const sound = glide(120, 150).subarray(0, FRAMES * HOP);
  const followed = new Float32Array(FRAMES * HOP + 1024);
  followed.set(sound);
  expect(trackF0(sound, HOP, FRAMES)).toEqual(trackF0(followed, HOP, FRAMES));
});

it('finds no pitch in noise and silence', () => {
  const uniform = uniformStream(1);
  const noise = Float32Array.from({ length: FRAMES * HOP + 1024 }, () => 0.2 * (uniform() - 0.5));
  const voicedInNoise = trackF0(noise, HOP, FRAMES).voiced.reduce((sum, v) => sum + v, 0);
  expect(voicedInNoise).toBeLessThan(FRAMES / 10);
  const shifted = noise.map((value) => value + 0.05);
  expect(trackF0(shifted, HOP, FRAMES).voiced.reduce((sum, v) => sum + v, 0)).toBeLessThan(FRAMES / 10);
  const silent = trackF0(new Float32Array(5000), HOP, FRAMES);
  expect(silent.voiced.every((v) => v === 0)).toBe(true);
  expect(silent.logF0.every((value) => value === Math.fround(Math.log(130)))).toBe(true);
});

it('hears no voice in what is as faint as silence', () => {
  const faint = glide(150, 150).map((value) => value / 1000);
  expect(trackF0(faint, HOP, FRAMES).voiced.every((v) => v === 0)).toBe(true);
});

it('tracks from 60 to 400 Hz, and takes a voice just beyond for one at the end', () => {
  for (const [hz, end] of [
    [405, RATE_HZ / 40],
    [59.5, RATE_HZ / 266],
  ])
    for (const value of trackF0(glide(hz, hz), HOP, FRAMES).logF0)
      expect(Math.exp(value)).toBeCloseTo(end, 3);
});

it('interpolates ln F0 across a gap without voice', () => {
  const sound = glide(120, 120);
  sound.set(glide(150, 150).subarray(40 * HOP), 40 * HOP);
  sound.fill(0, 20 * HOP, 40 * HOP);
  const { logF0, voiced } = trackF0(sound, HOP, FRAMES);
  const [first, next] = [voiced.indexOf(0), voiced.lastIndexOf(0) + 1];
  expect(voiced.subarray(first, next).every((v) => v === 0)).toBe(true);
  expect(next - first).toBeGreaterThan(10);
  expect(Math.exp(logF0[first - 1])).toBeCloseTo(120, 0);
  expect(Math.exp(logF0[next])).toBeCloseTo(150, 0);
  const step = (logF0[next] - logF0[first - 1]) / (next - first + 1);
  for (let t = first; t <= next; t++) expect(logF0[t] - logF0[t - 1]).toBeCloseTo(step, 5);
});

it('keeps ln F0 before the first voice and after the last', () => {
  const sound = new Float32Array(FRAMES * HOP + 1024);
  sound.set(glide(110, 180).subarray(20 * HOP, 40 * HOP), 20 * HOP);
  const { logF0, voiced } = trackF0(sound, HOP, FRAMES);
  const [first, last] = [voiced.indexOf(1), voiced.lastIndexOf(1)];
  expect([first > 0, last < FRAMES - 1]).toEqual([true, true]);
  expect([...logF0.subarray(0, first)]).toEqual(Array<number>(first).fill(logF0[first]));
  expect([...logF0.subarray(last + 1)]).toEqual(Array<number>(FRAMES - 1 - last).fill(logF0[last]));
});

it('takes a low voice for no higher one, however loud its second harmonic is', () => {
  const low = Float32Array.from({ length: FRAMES * HOP + 1024 }, (_, i) => {
    const phase = (2 * Math.PI * 70 * i) / RATE_HZ;
    return 0.1 * Math.sin(phase) + 0.4 * Math.sin(2 * phase);
  });
  for (const value of trackF0(low, HOP, FRAMES).logF0) expect(Math.exp(value)).toBeCloseTo(70, 0);
});

/** A tone in white noise, of power 1 together, in frames that share no sample; its share of the power is its autocorrelation (Boersma 1993). */
function toneInNoise(shares: number[], hzOf = (_frame: number) => 150): Float32Array {
  const uniform = uniformStream(2);
  return Float32Array.from({ length: shares.length * 1024 }, (_, i) => {
    const frame = Math.floor(i / 1024);
    const tone = Math.SQRT2 * Math.sin((2 * Math.PI * hzOf(frame) * i) / RATE_HZ);
    const noise = Math.sqrt(12) * (uniform() - 0.5);
    return 0.1 * (Math.sqrt(shares[frame]) * tone + Math.sqrt(1 - shares[frame]) * noise);
  });
}
const voicedOf = (shares: number[]) => [...trackF0(toneInNoise(shares), 1024, shares.length).voiced];

it('hears a voice where more than about half of the power repeats itself, and bridges a frame that hardly does', () => {
  const frames = Array.from({ length: 12 }, (_, t) => t);
  expect(voicedOf(frames.map(() => 0.7))).toEqual(frames.map(() => 1));
  expect(voicedOf(frames.map(() => 0.3))).toEqual(frames.map(() => 0));
  expect(voicedOf(frames.map((t) => (t === 6 ? 0.35 : 0.8)))).toEqual(frames.map(() => 1));
});

it('does not jump to another pitch for a frame', () => {
  const sound = toneInNoise(Array<number>(12).fill(1), (frame) => (frame === 6 ? 210 : 120));
  for (const value of trackF0(sound, 1024, 12).logF0)
    expect(Math.abs(Math.exp(value) - 120)).toBeLessThan(20);
});

it('hears the same median with a constant offset, and no voice in noise that has one', () => {
  const shifted = (sound: Float32Array, offset: number) => sound.map((value) => value + offset);
  const voice = glide(110, 180);
  expect(measureMedianF0Hz(shifted(voice, 0.3), RATE_HZ)).toBeCloseTo(measureMedianF0Hz(voice, RATE_HZ)!, 3);
  const uniform = uniformStream(3);
  const noise = Float32Array.from(voice, () => 0.02 * (uniform() - 0.5));
  expect(measureMedianF0Hz(noise, RATE_HZ)).toBeUndefined();
  expect(measureMedianF0Hz(shifted(noise, 0.05), RATE_HZ)).toBeUndefined();
});
