import { describe, expect, it } from 'vitest';
import { summarize, type Statistics } from '../../lib/run/statistics.js';

// numpy 2.4: mean, median, std, var, min, max, percentile 25 and 75.
const references: [string, number[], Statistics][] = [
  [
    'an odd count with a tie',
    [2.5, 1.0, 4.75, 3.125, 3.125, 0.5, 2.0],
    {
      count: 7,
      mean: 2.4285714285714284,
      median: 2.5,
      std: 1.3260055868383551,
      variance: 1.7582908163265305,
      min: 0.5,
      max: 4.75,
      p25: 1.5,
      p75: 3.125,
    },
  ],
  [
    'an even count with negative values',
    [-3.0, 5.1, -2.6, -2.1, 1.9, -0.5, 0.6, -1.4, 3.4, -2.9],
    {
      count: 10,
      mean: -0.15,
      median: -0.95,
      std: 2.6852374196707447,
      variance: 7.2105,
      min: -3.0,
      max: 5.1,
      p25: -2.475,
      p75: 1.575,
    },
  ],
  ['one value', [4], { count: 1, mean: 4, median: 4, std: 0, variance: 0, min: 4, max: 4, p25: 4, p75: 4 }],
];

describe('summarize', () => {
  it.each(references)('agrees with numpy on %s', (_, rewards, expected) => {
    const statistics = summarize(rewards);
    expect(Object.keys(statistics).sort()).toEqual(Object.keys(expected).sort());
    for (const name of Object.keys(expected) as (keyof Statistics)[]) {
      expect(statistics[name], name).toBeCloseTo(expected[name], 12);
    }
  });

  it('leaves its input as it was', () => {
    const rewards = [3, 1, 2];
    summarize(rewards);
    expect(rewards).toEqual([3, 1, 2]);
  });

  it('refuses an empty list', () => {
    expect(() => summarize([])).toThrow('no sample could be scored');
  });
});
