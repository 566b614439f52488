import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PairRules } from '../../lib/dpo/pair-rules.js';
import { choosePair, choosePairs } from '../../lib/dpo/pairs.js';

const completion = (name: string, reward: number | null, rank = reward) => ({ name, reward, rank });

it('chooses the best and rejects the worst, and averages the rewards of all', () => {
  const completions = [
    completion('a', 2),
    completion('b', 5),
    completion('c', null),
    completion('d', 1),
    completion('e', 4),
  ];
  expect(choosePair(completions)).toEqual({
    chosen: completions[1],
    rejected: completions[3],
    averageReward: 3,
  });
});

it('compares ranks, not rewards, where they differ', () => {
  const choice = choosePair([
    completion('long', 5, -9),
    completion('short', 5, -3),
    completion('mid', 5, -4),
  ]);
  expect(choice).toMatchObject({ chosen: { name: 'short' }, rejected: { name: 'long' }, averageReward: 5 });
});

it.each([
  [1, { minMargin: NaN }, 'minMargin is NaN: a number is expected'],
  [1, { minChosen: '5' }, "minChosen is '5': a number is expected"],
  [1, { pairing: 'above-margn' }, "pairing is 'above-margn': best-worst, above-margin, target are known"],
  [NaN, {}, 'at most NaN pairs of a prompt were asked for: a whole number from 0 on is expected'],
  [-1, {}, 'at most -1 pairs of a prompt were asked for'],
  [1.5, {}, 'at most 1.5 pairs of a prompt were asked for'],
])('says what is wrong instead of making other pairs: %s of %o', (count, rules, message) => {
  const completions = [completion('a', 2), completion('b', 5)];
  expect(() => choosePairs(completions, count, rules as PairRules<(typeof completions)[0]>)).toThrow(message);
});

it('takes the first of equally good and equally bad completions', () => {
  const choice = choosePair([
    completion('bad 1', 1),
    completion('good 1', 3),
    completion('bad 2', 1),
    completion('good 2', 3),
  ]);
  expect(choice).toMatchObject({ chosen: { name: 'good 1' }, rejected: { name: 'bad 1' } });
});

it.each([
  ['no sample', [], 'only 0 of 0 samples could be scored'],
  ['one scored sample', [completion('a', 1), completion('b', null)], 'only 1 of 2 samples could be scored'],
  ['one finite reward', [completion('a', 1), completion('b', NaN)], 'only 1 of 2 samples could be scored'],
  ['a reward alone', [completion('a', 1), completion('b', 2, null)], 'only 1 of 2 samples could be scored'],
  ['a rank alone', [completion('a', 1), completion('b', null, 2)], 'only 1 of 2 samples could be scored'],
  ['equal ranks', [completion('a', 2), completion('b', 2)], 'all 2 samples rank the same'],
])('skips a prompt with %s', (_, completions, reason) => {
  expect(choosePair(completions)).toEqual({ skipped: expect.stringContaining(reason) });
});

describe('choosePairs', () => {
  const names = (count: number, ranks: number[]) => {
    const choices = choosePairs(
      ranks.map((rank, index) => completion(String(index), rank)),
      count,
    );
    return 'skipped' in choices
      ? choices
      : choices.map(({ chosen, rejected }) => chosen.name + rejected.name);
  };

  it('pairs from both ends inwards', () => {
    expect(names(3, [3, 1, 6, 2, 5, 4])).toEqual(['21', '43', '50']);
  });

  it('starts with the pair of choosePair, also among ties', () => {
    expect(names(2, [1, 3, 1, 3])).toEqual(['10', '32']);
  });

  it('uses no completion twice', () => {
    expect(names(5, [3, 2, 1])).toEqual(['02']);
  });

  it('stops where ranks meet', () => {
    expect(names(3, [2, 2, 9, 2, 2, 1])).toEqual(['25']);
  });

  it('averages the rewards of all completions in every pair', () => {
    const choices = choosePairs(
      [4, 3, 2, 1].map((rank) => completion('', rank)),
      2,
    );
    expect(choices).toMatchObject([{ averageReward: 2.5 }, { averageReward: 2.5 }]);
  });
});

describe('rules of pairs', () => {
  interface Guarded {
    reward: number | null;
    rank: number | null;
    figures: Record<string, number>;
  }
  const guarded = (reward: number, dnsmos: number): Guarded => ({
    reward,
    rank: reward,
    figures: { dnsmos },
  });
  const notWorseIn = ({ figures }: Guarded) => figures;

  it('rejects the worst sample that loses on no guard to the chosen one', () => {
    const completions = [guarded(5, 2), guarded(1, 3), guarded(2, 2), guarded(4, 3)];
    expect(choosePairs(completions, 2, { notWorseIn })).toMatchObject([
      { chosen: completions[0], rejected: completions[2] },
      { chosen: completions[3], rejected: completions[1] },
    ]);
  });

  it('takes a figure that is missing, or is no number, for a loss of the chosen sample', () => {
    const without: Guarded['figures'] = {};
    for (const figures of [{ dnsmos: NaN }, without]) {
      const unmeasured: Guarded = { ...guarded(5, 0), figures };
      const completions = [unmeasured, guarded(4, 1), guarded(1, 1)];
      expect(choosePairs(completions, 9, { notWorseIn })).toMatchObject([
        { chosen: completions[1], rejected: completions[2] },
      ]);
    }
  });

  it('skips a prompt whose best samples all lose on the guard, and says by which rules', () => {
    expect(choosePairs([guarded(5, 1), guarded(1, 2)], 1, { notWorseIn, minMargin: 0.5 })).toEqual({
      skipped:
        'no two of its 2 samples make a pair with a margin of at least 0.5 and a chosen sample that loses on no guard',
    });
  });

  const reward = fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constantFrom(null, NaN, Infinity, -Infinity));
  const anyCompletion = fc.record({ reward, figures: fc.record({ dnsmos: fc.nat(4), fidelity: fc.nat(4) }) });

  it('hold in every pair, whatever the samples', () => {
    fc.assert(
      fc.property(
        fc.array(anyCompletion, { maxLength: 12 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 4 }),
        (samples, count, minMargin) => {
          const completions: Guarded[] = samples.map((sample) => ({ ...sample, rank: sample.reward }));
          const pairs = choosePairs(completions, count, { minMargin, notWorseIn });
          if ('skipped' in pairs) return;
          expect(pairs.length).toBeLessThanOrEqual(count);
          expect(new Set(pairs.flatMap(({ chosen, rejected }) => [chosen, rejected])).size).toBe(
            2 * pairs.length,
          );
          for (const { chosen, rejected } of pairs) {
            expect(Number.isFinite(chosen.reward) && Number.isFinite(rejected.reward)).toBe(true);
            expect(chosen.reward).toBeGreaterThan(rejected.reward);
            expect(chosen.reward - rejected.reward).toBeGreaterThanOrEqual(minMargin);
            expect(chosen.figures.dnsmos).toBeGreaterThanOrEqual(rejected.figures.dnsmos);
            expect(chosen.figures.fidelity).toBeGreaterThanOrEqual(rejected.figures.fidelity);
          }
        },
      ),
    );
  });

  it('skip a prompt only where no two samples make a pair', () => {
    fc.assert(
      fc.property(fc.array(anyCompletion, { maxLength: 8 }), (samples) => {
        const completions: Guarded[] = samples.map((sample) => ({ ...sample, rank: sample.reward }));
        const finite = completions.filter(({ reward }) => Number.isFinite(reward));
        const possible = finite.some((a) =>
          finite.some(
            (b) =>
              a.reward! > b.reward! &&
              a.figures.dnsmos >= b.figures.dnsmos &&
              a.figures.fidelity >= b.figures.fidelity,
          ),
        );
        expect('skipped' in choosePair(completions, { notWorseIn })).toBe(!possible);
      }),
    );
  });
});

describe('a completion that did not end', () => {
  const cutOff = (name: string, reward: number) => ({ ...completion(name, reward), finished: false });

  it('is never chosen, but may be rejected', () => {
    const completions = [cutOff('best', 5), completion('good', 4), completion('bad', 3), cutOff('worst', 1)];
    expect(choosePair(completions)).toMatchObject({ chosen: { name: 'good' }, rejected: { name: 'worst' } });
    expect(choosePairs(completions, 5)).toHaveLength(1);
  });

  it('is named where it is the reason that there is no pair', () => {
    expect(choosePair([cutOff('a', 5), completion('b', 4)])).toEqual({
      skipped: 'no two of its 2 samples make a pair with a chosen sample that ended',
    });
  });
});
