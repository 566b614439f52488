import { expect, it } from 'vitest';
import { meanIfAny, meanOf, sumOf } from '../lib/mean.js';

it('adds values in their order, in float64', () => {
  expect(sumOf([1, 1e16, -1e16])).toBe(0);
  expect(sumOf([1e16, -1e16, 1])).toBe(1);
  expect(sumOf(Float32Array.of(1, 2 ** -40))).toBe(1 + 2 ** -40);
  expect(sumOf([])).toBe(0);
});

it('is the mean, and of none NaN or undefined', () => {
  expect(meanOf([1, 2, 6])).toBe(3);
  expect(meanOf([])).toBeNaN();
  expect(meanIfAny([1, 2, 6])).toBe(3);
  expect(meanIfAny([])).toBeUndefined();
});
