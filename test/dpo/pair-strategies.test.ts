import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choosePairs, makePairs, type PairRules } from '../../lib/dpo/index.js';
import { countMade, pairings } from '../../lib/dpo/pair-rules.js';

const sample = (reward: number, codes = [reward], finished = true) => ({
  reward,
  rank: reward,
  codes,
  finished,
});
type Sample = ReturnType<typeof sample>;
const rewardsOf = (samples: readonly Sample[], count: number, rules: PairRules<Sample>): [number, number][] =>
  makePairs(samples, count, rules).pairs.map(({ chosen, rejected }) => [chosen.reward, rejected.reward]);

describe('above-margin', () => {
  const samples = [1, 5, 2, 4].map((reward) => sample(reward));

  it('pairs every two that differ by the margin, the largest differences first', () => {
    expect(rewardsOf(samples, 99, { pairing: 'above-margin', minMargin: 2 })).toEqual([
      [5, 1],
      [5, 2],
      [4, 1],
      [4, 2],
    ]);
    // All differences: the best sample's smallest one comes last.
    const differences = rewardsOf(samples, 99, { pairing: 'above-margin' }).map(([a, b]) => a - b);
    expect(differences).toEqual([4, 3, 3, 2, 1, 1]);
    // Ranks say who is better, rewards by how much.
    const unlike = [
      sample(2),
      { ...sample(9), rank: 3 },
      { ...sample(0), rank: 1 },
      { ...sample(8), rank: 9 },
    ];
    expect(rewardsOf(unlike, 2, { pairing: 'above-margin' })).toEqual([
      [9, 0],
      [8, 0],
    ]);
  });

  it('makes no more than the cap, and says what became of all six', () => {
    const { pairs, considered, dropped } = makePairs(samples, 3, { pairing: 'above-margin', minMargin: 2 });
    expect(pairs).toHaveLength(3);
    expect({ considered, dropped }).toEqual({ considered: 6, dropped: { minMargin: 2, unused: 1 } });
  });
});

describe('target', () => {
  const target = sample(3, [9, 9]);

  it('is chosen against the worst samples, whatever its reward is', () => {
    const samples = [sample(4), sample(1), sample(5)];
    expect(rewardsOf(samples, 2, { pairing: 'target', target })).toEqual([
      [3, 1],
      [3, 4],
    ]);
    const unlike = [{ ...sample(4), rank: 0 }, sample(1), sample(5)];
    expect(rewardsOf(unlike, 1, { pairing: 'target', target })).toEqual([[3, 4]]);
    const { pairs, considered, dropped } = makePairs(samples, 2, { pairing: 'target', target });
    expect(pairs[0].averageReward).toBeCloseTo(10 / 3, 12);
    expect({ considered, dropped }).toEqual({ considered: 3, dropped: { unused: 1 } });
  });

  it('needs no second sample, and is no pair with a sample of the same codes', () => {
    expect(rewardsOf([sample(1)], 1, { pairing: 'target', target })).toEqual([[3, 1]]);
    expect(makePairs([sample(1, [9, 9])], 1, { pairing: 'target', target })).toEqual({
      pairs: [],
      considered: 1,
      dropped: { identical: 1 },
      skipped: 'its target and none of its 1 samples make a pair with codes that differ',
    });
    // One that goes on where the other ends is another.
    expect(rewardsOf([sample(1, [9, 9, 9])], 1, { pairing: 'target', target })).toEqual([[3, 1]]);
  });

  it('that has no reward gives no pair, and one that is not given is a fault', () => {
    const unscored = { ...target, reward: null, rank: null };
    const { skipped } = makePairs<{ reward: number | null; rank: number | null }>([sample(1)], 1, {
      pairing: 'target',
      target: unscored,
    });
    expect(skipped).toBe('its target could not be scored');
    const unlimited = { ...target, reward: Infinity };
    expect(makePairs([sample(1)], 1, { pairing: 'target', target: unlimited }).skipped).toBe(skipped);
    const silent = [NaN, Infinity].map((reward) => sample(reward));
    expect(makePairs(silent, 1, { pairing: 'target', target }).skipped).toBe(
      'none of its 2 samples could be scored; the target needs one',
    );
    expect(() => makePairs([sample(1)], 1, { pairing: 'target' })).toThrow(TypeError);
  });
});

describe('the bar', () => {
  it('keeps chosen samples at or above minChosen, and says where nobody reaches it', () => {
    const samples = [5, 4, 3, 1].map((reward) => sample(reward));
    expect(rewardsOf(samples, 2, { minChosen: 5 })).toEqual([[5, 1]]);
    expect(makePairs(samples, 2, { minChosen: 5 }).dropped).toEqual({ minChosen: 3, unused: 2 });
    // Ranks decide whether two are equally good, also where their rewards are equal.
    const ranked = [sample(4), { ...sample(4, [1]), rank: 5 }];
    expect(makePairs(ranked, 1, { minChosen: 5 }).dropped).toEqual({ minChosen: 1 });
    expect(choosePairs(samples, 1, { minChosen: 6 })).toEqual({
      skipped: 'no two of its 4 samples make a pair with a chosen reward of at least 6',
    });
  });

  it('drops groups that are all good or all bad, and no others, when asked to', () => {
    const samples = [4, 3, 2].map((reward) => sample(reward));
    const pairsAt = (minChosen: number) => makePairs(samples, 1, { minChosen, dropUniform: true });
    expect(pairsAt(2).skipped).toBe('all its 3 samples have a reward of at least 2');
    expect(pairsAt(5).skipped).toBe('none of its 3 samples has a reward of at least 5');
    expect(pairsAt(5).dropped).toEqual({ uniform: 3 });
    expect(pairsAt(3).pairs).toHaveLength(1);
    expect(makePairs(samples, 1, { minChosen: 2 }).pairs).toHaveLength(1);
  });
});

it('makes no pair of the same codes, where a reward tells them apart by chance', () => {
  const samples = [sample(3, [1, 2]), sample(1, [1, 2]), sample(2, [1])];
  // The sample that the best one is paired with is not chosen against the one that is left over.
  expect(rewardsOf(samples, 9, {})).toEqual([[3, 2]]);
  expect(choosePairs(samples.slice(0, 2), 1)).toEqual({
    skipped: 'no two of its 2 samples make a pair with codes that differ',
  });
});

it('accounts for every two samples, keeps its rules and never differs from best-worst by codes that differ', () => {
  const anySample = fc.record({
    reward: fc.integer({ min: 0, max: 5 }),
    codes: fc.array(fc.nat(2), { maxLength: 2 }),
    finished: fc.boolean(),
  });
  const rules = fc.record({
    pairing: fc.constantFrom(...pairings),
    minMargin: fc.nat(3),
    minChosen: fc.option(fc.nat(5), { nil: undefined }),
    dropUniform: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(anySample, { maxLength: 9 }),
      anySample,
      rules,
      fc.integer({ min: 1, max: 12 }),
      (drawn, drawnTarget, given, count) => {
        const samples = drawn.map(({ reward, codes, finished }) => sample(reward, codes, finished));
        const target = sample(drawnTarget.reward, drawnTarget.codes);
        const { pairs, considered, dropped, skipped } = makePairs(samples, count, { ...given, target });
        const { length } = samples;
        expect(considered).toBe(given.pairing === 'target' ? length : (length * Math.max(0, length - 1)) / 2);
        expect(countMade(considered, dropped)).toBe(pairs.length);
        expect(skipped === undefined).toBe(pairs.length > 0);
        expect(pairs.length).toBeLessThanOrEqual(count);
        if (given.pairing === 'best-worst')
          expect(new Set(pairs.flatMap(({ chosen, rejected }) => [chosen, rejected])).size).toBe(
            2 * pairs.length,
          );
        for (const { chosen, rejected } of pairs) {
          expect(chosen.finished).toBe(true);
          expect(chosen.codes).not.toEqual(rejected.codes);
          expect(chosen.reward).toBeGreaterThanOrEqual(given.minChosen ?? 0);
          if (given.minMargin > 0)
            expect(chosen.reward - rejected.reward).toBeGreaterThanOrEqual(given.minMargin);
          if (given.pairing !== 'target') expect(chosen.rank).toBeGreaterThan(rejected.rank);
        }
        // Codes change nothing for a reward of the codes, as all built-in ones are: equal codes have equal rewards.
        const honest = samples.map((each) => ({
          ...each,
          rank: each.codes.join().length,
          reward: each.codes.join().length,
        }));
        const blind = honest.map(({ codes: _, ...each }) => each);
        const namesOf = (made: ReturnType<typeof choosePairs>, of: readonly unknown[]) =>
          'skipped' in made
            ? made
            : made.map(({ chosen, rejected }) => [of.indexOf(chosen), of.indexOf(rejected)]);
        expect(namesOf(choosePairs(honest, count), honest)).toEqual(
          namesOf(choosePairs(blind, count), blind),
        );
      },
    ),
  );
});
