import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { signTest, wilsonInterval } from '../../lib/run/proportion.js';

interface Golden {
  wins: number;
  count: number;
  /** Of statsmodels. */
  wilson: [number, number];
  /** Of SciPy's binomtest. */
  sign_test: number;
}

const golden = (
  JSON.parse(readFileSync('test/fixtures/listening/golden.json', 'utf8')) as { votes: Golden[] }
).votes;

it.each(golden)("$wins of $count: statsmodels' Wilson interval and SciPy's sign test", (each) => {
  const { share, low, high } = wilsonInterval(each.wins, each.count);
  expect(share).toBe(each.wins / each.count);
  expect(low).toBeCloseTo(each.wilson[0], 12);
  expect(high).toBeCloseTo(each.wilson[1], 12);
  const p = signTest(each.wins, each.count - each.wins);
  expect(Math.abs(p / each.sign_test - 1)).toBeLessThan(1e-9);
});

it('of no votes there is no share, and nothing is improbable', () => {
  expect(() => wilsonInterval(0, 0)).toThrow('no share of no votes');
  expect(signTest(0, 0)).toBe(1);
});
