import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash, shuffled, uniformStream } from '../lib/random.js';

const keys = fc.array(fc.integer({ min: -1, max: 1000 }), { minLength: 1, maxLength: 3 });
const take = (count: number, ...key: number[]) => {
  const uniform = uniformStream(...key);
  return Array.from({ length: count }, () => uniform());
};

describe('uniformStream', () => {
  it('gives these numbers for these keys, on every machine and in every version', () => {
    expect(take(3, 0)).toEqual([0.2629499397450341, 0.6297401440628648, 0.4295911738337249]);
    expect(take(3, 42, 1, 2)).toEqual([0.010477642838685242, 0.4713048090645491, 0.7760279525340822]);
  });

  it('gives numbers in [0, 1) that depend on the key alone', () => {
    fc.assert(
      fc.property(keys, keys, (key, other) => {
        const alone = take(20, ...key);
        const uniform = uniformStream(...key);
        const otherUniform = uniformStream(...other);
        const interleaved = alone.map(() => [uniform(), otherUniform()][0]);
        expect(interleaved).toEqual(alone);
        for (const value of alone) expect(value >= 0 && value < 1).toBe(true);
      }),
    );
  });

  it('gives neighbouring keys streams of their own', () => {
    const firsts = new Set<number>();
    for (let seed = 0; seed < 10; seed++)
      for (let prompt = 0; prompt < 10; prompt++)
        for (let sample = 0; sample < 10; sample++) firsts.add(take(1, seed, prompt, sample)[0]);
    expect(firsts.size).toBe(1000);
    const mean = [...firsts].reduce((total, value) => total + value, 0) / firsts.size;
    // The mean of 1000 uniform numbers is within 5 standard deviations of a half.
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / 1000));
  });
});

describe('hash', () => {
  it('tells the order and number of the parts of a key', () => {
    const different = [[1, 2], [2, 1], [1], [1, 0], [0, 1], [0], []];
    expect(new Set(different.map(hash)).size).toBe(different.length);
    // All 32 bits of a seed count.
    const seeds = [0, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 31, 2 ** 32 - 1].map((seed) => [seed]);
    expect(new Set(seeds.map(hash)).size).toBe(seeds.length);
  });
});

describe('shuffled', () => {
  it('is a permutation that depends on the key alone and leaves the items as they are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), keys, (items, key) => {
        const before = [...items];
        const order = shuffled(items, ...key);
        expect(items).toEqual(before);
        expect(order).toEqual(shuffled(items, ...key));
        expect([...order].sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
      }),
    );
  });

  it('gives each order of three items about a sixth of the time', () => {
    const counts = new Map<string, number>();
    for (let key = 0; key < 6000; key++) {
      const order = shuffled(['a', 'b', 'c'], key).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values())
      expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000 * (5 / 6)));
  });
});
