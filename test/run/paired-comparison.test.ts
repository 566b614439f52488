/** Against scipy and numpy (test/fixtures/statistics/make.py) and closed forms. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { comparePairs } from '../../lib/run/paired-comparison.js';
import { studentInterval } from '../../lib/run/student-t.js';

interface Golden {
  comparisons: {
    first: number[];
    second: number[];
    n: number;
    change: number;
    percentile: { low: number; high: number; lowStd: number; highStd: number };
    effectSize: number;
    winRate: number;
  }[];
  studentQuantiles: Record<string, number>;
  studentInterval: { values: number[]; bounds: [number, number] };
}

const golden = JSON.parse(
  readFileSync(new URL('../fixtures/statistics/golden.json', import.meta.url), 'utf8'),
) as Golden;

/** Standard deviations of one bootstrap that ours may be away from the mean of scipy's. */
const SPREAD = 4;

describe('comparePairs', () => {
  it.each(golden.comparisons)('agrees with scipy and numpy on $n prompts', (expected) => {
    const { n, change, interval, effectSize, winRate } = comparePairs(expected.first, expected.second)!;
    expect(n).toBe(expected.n);
    expect(change).toBeCloseTo(expected.change, 12);
    expect(effectSize).toBeCloseTo(expected.effectSize, 12);
    expect(winRate).toBe(expected.winRate);
    const { low, high, lowStd, highStd } = expected.percentile;
    expect(Math.abs(interval!.low - low)).toBeLessThan(SPREAD * lowStd + 1e-12);
    expect(Math.abs(interval!.high - high)).toBeLessThan(SPREAD * highStd + 1e-12);
  });

  it('leaves prompts without a value out, and what the shorter list lacks', () => {
    expect(comparePairs([1, null, 3, 4], [2, 5, 3])).toEqual({
      n: 2,
      change: 0.5,
      effectSize: 0.5 / Math.SQRT1_2,
      winRate: 0.75,
    });
    expect(comparePairs([null], [1])).toBeUndefined();
  });

  it('counts ties half, and lower values as better where they are', () => {
    const first = [0, 0, 0, 0];
    const second = [1, 1, 0, -1];
    expect(comparePairs(first, second)!.winRate).toBe(0.625);
    expect(comparePairs(first, second, 'lower')!.winRate).toBe(0.375);
  });

  it('has an interval from five prompts on', () => {
    const zeros = (length: number) => new Array<number>(length).fill(0);
    expect(comparePairs(zeros(4), [1, 2, 3, 4])).not.toHaveProperty('interval');
    expect(comparePairs(zeros(5), [1, 2, 3, 4, 5])!.interval).toMatchObject({ mean: 3 });
  });

  it('has no effect size where all differences are equal', () => {
    expect(comparePairs([1, 2], [2, 3])).toEqual({ n: 2, change: 1, winRate: 1 });
    // Differences of 0.1 that rounding tells apart.
    const values = [1.1, 2.2, 3.3, 4.4, 5.5];
    const raised = comparePairs(
      values,
      values.map((value) => value + 0.1),
    );
    expect(raised).not.toHaveProperty('effectSize');
    const below = values.map((value) => -value);
    const lowered = comparePairs(
      below,
      below.map((value) => value - 0.1),
    );
    expect(lowered).not.toHaveProperty('effectSize');
    // Rounding is a share of the values: these are large, and the last ones small and truly different.
    const large = values.map((value) => 1e6 * value);
    const moved = large.map((value) => value + 0.1);
    expect(comparePairs(large, moved)).not.toHaveProperty('effectSize');
    expect(comparePairs([0, 0], [1e-13, 3e-13])!.effectSize).toBeCloseTo(Math.SQRT2, 12);
  });
});

describe('studentInterval', () => {
  it("has scipy's quantiles at any number of values", () => {
    for (const [degrees, expected] of Object.entries(golden.studentQuantiles)) {
      // Alternating, so that mean ± t s / √n can be solved for t.
      const values = Array.from({ length: Number(degrees) + 1 }, (_, i) => (i % 2 === 0 ? 1 : -1));
      const { mean, high } = studentInterval(values);
      const n = values.length;
      const std = Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / (n - 1));
      expect(((high - mean) * Math.sqrt(n)) / std / expected).toBeCloseTo(1, 12);
    }
  });

  it("is scipy's interval of three values", () => {
    const { values, bounds } = golden.studentInterval;
    const { low, high } = studentInterval(values);
    expect(low).toBeCloseTo(bounds[0], 12);
    expect(high).toBeCloseTo(bounds[1], 12);
    expect(() => studentInterval([1])).toThrow('at least 2 values');
  });
});
