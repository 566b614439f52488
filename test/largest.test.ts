import { expect, it } from 'vitest';
import { largestOf } from '../lib/largest.js';

it('is the largest, of more numbers than a call can have arguments too', () => {
  expect(largestOf([-3, -1, -2])).toBe(-1);
  expect(largestOf([])).toBe(-Infinity);
  expect(largestOf([1, NaN, 2])).toBeNaN();
  const many = Array.from({ length: 200_000 }, (_, i) => i);
  expect(() => Math.max(...many)).toThrow(RangeError);
  expect(largestOf(many)).toBe(199_999);
});
