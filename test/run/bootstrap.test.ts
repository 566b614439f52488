import { describe, expect, it } from 'vitest';
import { bootstrapMean } from '../../lib/run/bootstrap.js';

describe('bootstrapMean', () => {
  it('is exact where all values are equal', () => {
    expect(bootstrapMean([0.5, 0.5, 0.5])).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
  });

  it('reaches both ends with two values, each of which fills a quarter of the resamples', () => {
    expect(bootstrapMean([0, 1])).toEqual({ mean: 0.5, low: 0, high: 1 });
  });

  it('comes to the normal interval for many values', () => {
    const differences = Array.from({ length: 400 }, (_, i) => Math.sin(i * 12.9898) * 2);
    const { mean, low, high } = bootstrapMean(differences);
    const std = Math.sqrt(differences.reduce((total, d) => total + (d - mean) ** 2, 0) / 400);
    const half = (1.96 * std) / Math.sqrt(400);
    expect(Math.abs(high - mean - half)).toBeLessThan(0.05 * half);
    expect(Math.abs(mean - low - half)).toBeLessThan(0.05 * half);
  });

  it('cuts off as many resamples above as below: of negated values it is mirrored', () => {
    const values = [0.31, -1.7, 2.9, 0.83, 4.1, -0.62];
    const { mean, low, high } = bootstrapMean(values);
    expect(bootstrapMean(values.map((value) => -value))).toEqual({ mean: -mean, low: -high, high: -low });
  });

  it('gives the same interval for the same input', () => {
    expect(bootstrapMean([1, -2, 7])).toEqual(bootstrapMean([1, -2, 7]));
  });

  it('comes to the exact distribution of three values', () => {
    // Of 27 equally likely resamples, the share of one that holds 0 alone is 3.7 %: the bound lies within it.
    expect(bootstrapMean([0, 3, 9])).toEqual({ mean: 4, low: 0, high: 9 });
  });

  it('refuses a single value', () => {
    expect(() => bootstrapMean([1])).toThrow('at least 2 values; got 1');
  });
});
