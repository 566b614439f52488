import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { signTest, wilsonInterval } from '../../lib/run/proportion.js';
import { VOTES_FORMAT, type voteChoices, type VotesFile } from '../../lib/run/votes-file.js';
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

it('counts a vote for the system on the side that was chosen, also in files that name the systems the other way round', () => {
  const fileOf = (
    systems: [string, string],
    votes: [string, string, (typeof voteChoices)[number]][],
  ): VotesFile => ({
    ...{ format: VOTES_FORMAT, page: 'page', listener: systems.join(), exportedAt: '', pairs: 9, systems },
    votes: votes.map(([left, right, choice], pair) => ({
      ...{ pair, instruction: 'Faster.', source: [1], choice },
      left: { system: left, codes: [1] },
      right: { system: right, codes: [2] },
    })),
  });
  const first = fileOf(['a', 'b'], [['a', 'b', 'left'], ['b', 'a', 'right'], ['b', 'a', 'left'], ['a', 'b', 'both bad']]); // prettier-ignore
  const second = fileOf(
    ['b', 'a'],
    [
      ['a', 'b', 'left'],
      ['b', 'a', 'right'],
      ['a', 'b', 'no difference'],
    ],
  );
  expect(countVotes([first, second])).toEqual([
    {
      ...{ systems: ['a', 'b'], listeners: 2, votes: 7, wins: [4, 1], noDifference: 1, bothBad: 1, left: 3 },
      rates: [wilsonInterval(4, 5), wilsonInterval(1, 5)],
      p: expect.closeTo(0.375, 12),
    },
  ]);
});
