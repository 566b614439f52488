import { describe, expect, it } from 'vitest';
import { addEcho, applyEffect, EFFECTS, lowPass, type Effect } from '../../lib/audio/effects.js';
import { stretchTime } from '../../lib/audio/time-stretch.js';

const RATE_HZ = 16000;

const sine = (hz: number, seconds: number, amplitude = 0.4): Float32Array =>
  Float32Array.from(
    { length: seconds * RATE_HZ },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / RATE_HZ),
  );

/** Frequency of a pure tone from its rising zero crossings, away from both ends. */
function measureHz(samples: Float32Array): number {
  const crossings: number[] = [];
  for (let i = 800; i < samples.length - 800; i++) {
    if (samples[i - 1] < 0 && samples[i] >= 0) {
      crossings.push(i - samples[i] / (samples[i] - samples[i - 1]));
    }
  }
  return ((crossings.length - 1) * RATE_HZ) / (crossings.at(-1)! - crossings[0]);
}

/** Root mean square away from both ends, in decibels. */
function measureDecibels(samples: Float32Array): number {
  const middle = samples.subarray(1600, -1600);
  return 10 * Math.log10(middle.reduce((sum, x) => sum + x * x, 0) / middle.length);
}

describe('effects on a 220 Hz tone of one second', () => {
  const tone = sine(220, 1);
  // Duration ratio, pitch ratio, level change in dB.
  const expected: Record<Exclude<Effect, 'echo'>, [number, number, number]> = {
    faster: [1 / 1.3, 1, 0],
    slower: [1 / 0.77, 1, 0],
    higher: [1, 2 ** (1 / 3), 0],
    lower: [1, 2 ** (-1 / 3), 0],
    louder: [1, 1, 6],
    quieter: [1, 1, -8],
    'low-pass': [1, 1, 0],
  };
  it.each(Object.entries(expected))('%s', (effect, [duration, pitch, decibels]) => {
    const edited = applyEffect(effect as Effect, tone, RATE_HZ);
    expect(edited.length).toBe(Math.round(tone.length * duration));
    expect(measureHz(edited) / 220).toBeCloseTo(pitch, 2);
    expect(Math.abs(measureDecibels(edited) - measureDecibels(tone) - decibels)).toBeLessThan(0.5);
  });

  it('echo repeats the tone 0.15 s later at half its amplitude', () => {
    const edited = applyEffect('echo', tone, RATE_HZ);
    expect(edited.length).toBe(tone.length + 2400);
    expect([...edited.subarray(0, 2400)]).toEqual([...tone.subarray(0, 2400)]);
    expect(edited[tone.length + 100]).toBeCloseTo(0.5 * tone[tone.length + 100 - 2400], 6);
  });

  it('keep a peak of 0.49 within [-1, 1]', () => {
    for (const effect of EFFECTS) {
      const peak = applyEffect(effect, sine(220, 0.5, 0.49), RATE_HZ).reduce(
        (a, b) => Math.max(a, Math.abs(b)),
        0,
      );
      expect(peak, effect).toBeLessThanOrEqual(1);
    }
  });
});

it('what is shifted beyond half the sample rate is removed, not folded back', () => {
  const shifted = applyEffect('higher', sine(7000, 1), RATE_HZ);
  expect(measureDecibels(shifted)).toBeLessThan(measureDecibels(sine(7000, 1)) - 40);
});

it('lowPass removes a tone above its cutoff and keeps one below', () => {
  const change = (hz: number): number =>
    measureDecibels(lowPass(sine(hz, 0.5), 1800, RATE_HZ)) - measureDecibels(sine(hz, 0.5));
  expect(change(3000)).toBeLessThan(-40);
  expect(Math.abs(change(1000))).toBeLessThan(0.1);
  // At the cutoff half of the amplitude is left.
  const atCutoff = measureDecibels(applyEffect('low-pass', sine(1800, 0.5), RATE_HZ));
  expect(atCutoff - measureDecibels(sine(1800, 0.5))).toBeCloseTo(20 * Math.log10(0.5), 1);
});

it('lowPass reaches 16 zero crossings to either side', () => {
  const impulse = new Float32Array(201);
  impulse[100] = 1;
  const response = lowPass(impulse, 1800, RATE_HZ);
  // 16 / 0.225 = 71.1 samples.
  const reached = [...response.keys()].filter((i) => response[i] !== 0);
  expect([reached[0], reached.at(-1)]).toEqual([100 - 71, 100 + 71]);
  for (let i = 1; i <= 71; i++) expect(response[100 - i]).toBeCloseTo(response[100 + i], 12);
});

it('addEcho adds a scaled copy', () => {
  const echoed = addEcho(Float32Array.of(1, 0, 0), 2 / RATE_HZ, 0.5, RATE_HZ);
  expect([...echoed]).toEqual([1, 0, 0.5, 0, 0]);
  expect(addEcho(Float32Array.of(1), 1.6 / RATE_HZ, 0.5, RATE_HZ), 'the nearest sample').toHaveLength(3);
});

describe('stretchTime', () => {
  it('returns the signal at tempo 1', () => {
    const tone = sine(310, 0.3);
    const same = stretchTime(tone, 1, RATE_HZ);
    expect(same.length).toBe(tone.length);
    tone.forEach((sample, i) => expect(same[i]).toBeCloseTo(sample, 5));
  });

  it('takes an empty recording', () => {
    expect(stretchTime(new Float32Array(0), 1.3, RATE_HZ).length).toBe(0);
  });

  it('joins frames where they continue a voice to the sample', () => {
    // 160 Hz and its harmonics up to 2.6 kHz, of which frames that are two samples apart would lose the highest.
    const voice = Float32Array.from({ length: RATE_HZ }, (_, i) =>
      Array.from({ length: 16 }, (__, k) => Math.sin((2 * Math.PI * (k + 1) * i) / 100)).reduce(
        (a, b) => a + b,
      ),
    );
    const stretched = stretchTime(voice, 1.305, RATE_HZ);
    expect(measureDecibels(stretched)).toBeCloseTo(measureDecibels(voice), 1);
  });

  it.each([0, -1, NaN, Infinity])('refuses a tempo that is no positive number, as %d', (tempo) => {
    expect(() => stretchTime(sine(220, 0.1), tempo, RATE_HZ)).toThrow(`A tempo is a positive number, not ${tempo}`); // prettier-ignore
  });
});
