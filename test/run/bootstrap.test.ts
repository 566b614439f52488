import { describe, expect, it } from 'vitest';
import { pairedBootstrap } from '../../lib/run/bootstrap.js';

describe('pairedBootstrap', () => {
  it('is exact where every pair changes alike', () => {
    expect(pairedBootstrap([1, 2, 3], [1.5, 2.5, 3.5])).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
  });

  it('reaches both ends with two pairs, each of which fills a quarter of the resamples', () => {
    expect(pairedBootstrap([0, 0], [0, 1])).toEqual({ mean: 0.5, low: 0, high: 1 });
  });

  it('goes outwards where a bound lies between two resamples', () => {
    const after = Array.from({ length: 100 }, (_, i) => Math.sin(i * i));
    const { low, high } = pairedBootstrap(new Array<number>(100).fill(0), after, 2);
    expect(low).toBeLessThan(high);
  });

  it('comes to the normal interval for many pairs', () => {
    const differences = Array.from({ length: 400 }, (_, i) => Math.sin(i * 12.9898) * 2);
    const { mean, low, high } = pairedBootstrap(new Array<number>(400).fill(0), differences);
    const std = Math.sqrt(differences.reduce((total, d) => total + (d - mean) ** 2, 0) / 400);
    const half = (1.96 * std) / Math.sqrt(400);
    expect(Math.abs(high - mean - half)).toBeLessThan(0.05 * half);
    expect(Math.abs(mean - low - half)).toBeLessThan(0.05 * half);
  });

  it('gives the same interval for the same input', () => {
    expect(pairedBootstrap([1, 5, 2], [2, 3, 9])).toEqual(pairedBootstrap([1, 5, 2], [2, 3, 9]));
  });

  it('refuses lists that do not pair up', () => {
    expect(() => pairedBootstrap([1, 2], [1])).toThrow('got 2 and 1 values');
    expect(() => pairedBootstrap([1], [1])).toThrow('at least 2 values; got 1');
  });
});
