import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largestIndices } from '../../lib/policy/top-k.js';

/** By sorting. */
function expected(logits: Float32Array, k: number): number[] {
  const numbers = [...logits].filter((value) => !Number.isNaN(value)).sort((a, b) => b - a);
  const border = numbers[Math.min(k, numbers.length) - 1];
  return [...logits.keys()].filter((index) => logits[index] >= border);
}

describe('largestIndices', () => {
  const some = fc.oneof(
    fc.float({ noNaN: true }),
    fc.constantFrom(0, -0, 1, -1, Infinity, -Infinity, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45),
  );
  const rows = fc
    .array(some, { minLength: 2, maxLength: 1100 })
    .map((values) => Float32Array.from(values))
    .chain((logits) => fc.tuple(fc.constant(logits), fc.integer({ min: 1, max: logits.length - 1 })));

  it('gives what sorting gives, of any numbers', () => {
    fc.assert(
      fc.property(rows, ([logits, k]) => {
        expect([...largestIndices(logits, k)]).toEqual(expected(logits, k));
      }),
    );
  });

  it.each([
    ['ascending', (i: number) => i],
    ['descending', (i: number) => -i],
    ['all equal', () => 2.5],
    ['all minus infinity', () => -Infinity],
    ['large where nothing is looked at first', (i: number) => (i % 16 === 0 ? 0 : i)],
    ['large only where it is looked at first', (i: number) => (i % 16 === 0 ? i : 0)],
  ])('whatever their order: %s', (_, valueOf) => {
    const logits = Float32Array.from({ length: 1025 }, (_each, i) => valueOf(i));
    for (const k of [1, 2, 50, 64, 1000, 1024])
      expect([...largestIndices(logits, k)]).toEqual(expected(logits, k));
  });

  it('leaves out what is not a number', () => {
    const logits = Float32Array.of(NaN, 3, NaN, 1, 2, NaN);
    expect([...largestIndices(logits, 2)]).toEqual([1, 4]);
    expect([...largestIndices(logits, 5)]).toEqual([1, 3, 4]);
    expect([...largestIndices(new Float32Array(300).fill(NaN), 5)]).toEqual([]);
  });
});
