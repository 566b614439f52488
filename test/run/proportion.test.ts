import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { signTest, wilsonInterval } from '../../lib/run/proportion.js';
import { VOTES_FORMAT, parseVotes, votedPairs, type VotesFile } from '../../lib/run/votes-file.js';
import { countVotes } from '../../lib/run/win-rates.js';

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

it('leaves no share below 0 or above 1 for a rounding', () => {
  for (let count = 1; count <= 60; count++) {
    expect(wilsonInterval(0, count).low).toBeGreaterThanOrEqual(0);
    expect(wilsonInterval(count, count).high).toBeLessThanOrEqual(1);
  }
});

/** Votes of a listener, each as who is left, who is right, and what was said; samples of a are 1, those of b 2. */
function votesOf(systems: VotesFile['systems'], ...votes: [string, string, string][]): VotesFile {
  const side = (system: string) => ({ system, codes: [system === 'a' ? 1 : 2] });
  return parseVotes(
    {
      ...{ format: VOTES_FORMAT, page: 'page', listener: 'listener', exportedAt: '', pairs: 9, systems },
      votes: votes.map(([left, right, choice], pair) => ({
        ...{ pair, instruction: 'Faster', source: [3] },
        ...{ left: side(left), right: side(right), choice },
      })),
    },
    'votes.json',
  );
}

it('takes no vote between a system and itself', () => {
  expect(() => votesOf(['a', 'b'], ['a', 'a', 'left'])).toThrow('both sides are of one system');
});

it.each([
  ['c', 'a'],
  ['a', 'c'],
])('takes no vote between %s and %s on a page of a and b', (left, right) => {
  expect(() => votesOf(['a', 'b'], [left, right, 'left'])).toThrow('a vote is of other systems');
});

it('counts the votes of listeners for each system, whichever side it was on and however a page orders them', () => {
  const first = votesOf(
    ['a', 'b'],
    ['a', 'b', 'left'],
    ['b', 'a', 'right'],
    ['b', 'a', 'right'],
    ['a', 'b', 'right'],
    ['a', 'b', 'both bad'],
  );
  const second = votesOf(['b', 'a'], ['a', 'b', 'left'], ['a', 'b', 'no difference'], ['b', 'a', 'both bad']);
  const [contest, ...others] = countVotes([first, second, votesOf(['a', 'c'], ['c', 'a', 'left'])]);
  expect(contest).toEqual({
    ...{ systems: ['a', 'b'], listeners: 2, votes: 8, wins: [4, 1] },
    ...{ noDifference: 1, bothBad: 2, left: 2 },
    rates: [wilsonInterval(4, 5), wilsonInterval(1, 5)],
    // (1 + 5) of 2⁵ results are as uneven on either side.
    p: expect.closeTo(12 / 32, 12),
  });
  const rates = [wilsonInterval(0, 1), wilsonInterval(1, 1)];
  expect(others).toMatchObject([{ systems: ['a', 'c'], votes: 1, wins: [0, 1], left: 1, rates }]);
  expect(votedPairs(first).map(({ chosen, rejected }) => [chosen, rejected])).toEqual([
    [[1], [2]],
    [[1], [2]],
    [[1], [2]],
    [[2], [1]],
  ]);
});
