import { describe, expect, it } from 'vitest';
import { isSilent, measureLevel } from '../../lib/scoring/silence.js';

const RATE_HZ = 16000;
const tone = (amplitude: number, seconds = 1) =>
  Float32Array.from(
    { length: RATE_HZ * seconds },
    (_, i) => amplitude * Math.sin((2 * Math.PI * 441 * i) / RATE_HZ),
  );

describe('measureLevel', () => {
  it('gives level and peak of a tone', () => {
    const { levelDb, peakDb, silentShare, clippedShare } = measureLevel(tone(0.5), RATE_HZ);
    expect(levelDb).toBeCloseTo(20 * Math.log10(0.5 / Math.SQRT2), 2);
    expect(peakDb).toBeCloseTo(20 * Math.log10(0.5), 2);
    expect([silentShare, clippedShare]).toEqual([0, 0]);
  });

  it('takes the peak from whichever side is further out', () => {
    for (const side of [1, -1])
      expect(measureLevel(Float32Array.of(0, 0.1 * side, -0.5 * side), RATE_HZ).peakDb).toBeCloseTo(
        -6.0206,
        4,
      );
  });

  it('counts silent frames', () => {
    const half = new Float32Array(RATE_HZ);
    half.set(tone(0.1, 0.5));
    expect(measureLevel(half, RATE_HZ).silentShare).toBe(0.5);
    expect(measureLevel(new Float32Array(100), RATE_HZ)).toEqual({
      levelDb: -Infinity,
      peakDb: -Infinity,
      silentShare: 1,
      clippedShare: 0,
    });
  });

  it('counts samples cut off at the peak, at any level', () => {
    const clipped = tone(1).map((value) => 0.3 * Math.max(-0.5, Math.min(0.5, value)));
    // |sin| is above 1/2 for two thirds of a period.
    expect(measureLevel(clipped, RATE_HZ).clippedShare).toBeCloseTo(2 / 3, 1);
    const runs = Float32Array.of(0, 1, 1, 1, 0, 1, 1, 0, -1, -1, -1, -1);
    expect(measureLevel(runs, RATE_HZ).clippedShare).toBe((3 + 4) / 12);
  });

  it('refuses nothing and NaN', () => {
    expect(() => measureLevel(new Float32Array(0), RATE_HZ)).toThrow('holds no samples');
    expect(() => measureLevel(Float32Array.of(NaN), RATE_HZ)).toThrow('not a finite number');
  });
});

describe('isSilent', () => {
  it.each([
    ['no samples', new Float32Array(0), true],
    ['zeros', new Float32Array(1000), true],
    ['a tone at -66 dB', tone(0.0007), true],
    ['a tone at -52 dB', tone(0.0036), false],
  ])('%s: %s', (_, samples, expected) => {
    expect(isSilent(samples, RATE_HZ)).toBe(expected);
  });

  it('is not fooled by a click', () => {
    const click = new Float32Array(RATE_HZ);
    click[8000] = 1;
    expect(isSilent(click, RATE_HZ)).toBe(true);
  });

  it('hears two frames of fifty', () => {
    const short = new Float32Array(RATE_HZ);
    short.set(tone(0.1, 0.04), RATE_HZ / 2);
    expect(isSilent(short, RATE_HZ)).toBe(false);
  });
});
