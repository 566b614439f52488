import { describe, expect, it } from 'vitest';
import { bestOfN, bestOfNDivergence } from '../../lib/run/best-of-n.js';
import { meanOf } from '../../lib/mean.js';

/** Every choice of n of the values. */
function choices<Value>(values: readonly Value[], n: number): Value[][] {
  if (n === 0) return [[]];
  return values.flatMap((value, i) => choices(values.slice(i + 1), n - 1).map((rest) => [value, ...rest]));
}

describe('bestOfN', () => {
  it('is the mean of the largest over all choices of n of each prompt’s samples, of those that have a score', () => {
    const prompts = [
      [3, -1, 4, 12.5, 4],
      [null, 7, 1, null, 2.5],
      [null, null, null, null, null],
    ];
    const found = bestOfN(prompts);
    expect(found).toHaveLength(5);
    for (const [i, reward] of found.entries()) {
      const byHand = prompts.slice(0, 2).map((samples) => {
        const scored = choices(samples, i + 1).map((each) => each.filter((value) => value !== null));
        return meanOf(scored.filter(({ length }) => length > 0).map((each) => Math.max(...each)));
      });
      expect(reward).toBeCloseTo(meanOf(byHand), 12);
    }
    expect(bestOfN(prompts.slice(2))).toEqual([]);
    expect(
      bestOfN([
        [1, 2, 3],
        [5, 7],
      ]),
    ).toEqual([4, (8 / 3 + 7) / 2]);
  });
});

describe('bestOfNDivergence', () => {
  it('is the KL divergence of the largest of n uniform samples from one of them', () => {
    expect(bestOfNDivergence(1)).toBe(0);
    // KL of the density n x^(n − 1) from 1, by the midpoint rule.
    const steps = 100_000;
    for (const n of [2, 10]) {
      let sum = 0;
      for (let i = 0; i < steps; i++) {
        const density = n * ((i + 0.5) / steps) ** (n - 1);
        sum += (density * Math.log(density)) / steps;
      }
      expect(bestOfNDivergence(n)).toBeCloseTo(sum, 6);
    }
  });
});
